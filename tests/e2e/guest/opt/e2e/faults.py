# SPDX-License-Identifier: GPL-2.0
"""The kernel's fault injection, aimed at a driver (Documentation/fault-injection of the kernel).

Only allocations with the module's code on the stack fail: those of the driver, and those that the
kernel makes on its behalf. What the kernel's own checks allocate for their records never fails:
it says nothing of the driver.

Two ways to say which one fails: by probability, in any context; and the n-th that one thread makes,
which finds each of them, one after the other ("fail-nth").

Limitations:
- The stack is looked at to a depth of 32 entries: what is called from deeper is spared.
- Interrupts are part of the stack that they interrupt, so their allocations may be hit too.
"""

import bisect
import errno
import fcntl
import functools
import glob
import os
import socket
import struct
import subprocess

DEBUGFS = "/sys/kernel/debug"
KINDS = ("failslab", "fail_page_alloc", "fail_skb_realloc")
# More than will ever be injected: the kernel counts down from here.
TIMES = 1 << 30
# Modules are loaded to an area of 2 GiB, aligned to that.
MODULES_AREA = 1 << 31
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
# What the kernel's checks allocate for their records: by function, and by slab cache.
CHECKERS = {"failslab": "add_dma_entry", "fail_page_alloc": "stack_depot_save_flags"}
CHECKERS_CACHES = ("kmemleak_object", "kmemleak_scan_area", "debug_objects_cache")


def _put(path, value):
    with open(path, "w", encoding="ascii") as file:
        file.write(str(value))


def _knobs(kind, **values):
    for name, value in values.items():
        _put(f"{DEBUGFS}/{kind}/{name.replace('_', '-')}", value)


@functools.cache
def _symbols():
    """The addresses of the kernel's functions, sorted, and each one's by name."""
    found = {}
    with open("/proc/kallsyms", encoding="ascii", errors="replace") as file:
        for line in file:
            address, kind, name, *module = line.split()
            if not module and kind in "tT":
                found[name] = int(address, 16)
    return sorted(set(found.values())), found


def _function(name):
    """Start and end of a function of the kernel."""
    addresses, names = _symbols()
    start = names[name]
    return start, addresses[bisect.bisect_right(addresses, start)]


def _text(module):
    """Start and end of a loaded module's code; of all modules that may ever be, without a name."""
    with open("/proc/modules", encoding="ascii") as file:
        for line in file:
            name, size, _, _, _, address, *_ = line.split()
            start = int(address, 16)
            if module is None:
                base = start - start % MODULES_AREA
                return base, base + MODULES_AREA
            if name == module:
                return start, start + int(size)
    raise ValueError(f"module {module} is not loaded")


@functools.cache
def _spare_caches():
    """Let no allocation fail from the caches of the kernel's checks."""
    for path in glob.glob("/sys/kernel/slab/*/failslab"):
        _put(path, int(path.split("/")[4] not in CHECKERS_CACHES))
    _knobs("failslab", cache_filter="Y")


def aim(module=None, depth=32, kinds=KINDS):
    """Nothing fails yet, but what will is on behalf of a module, at most `depth` calls deep."""
    _spare_caches()
    for thread in glob.glob("/proc/[0-9]*/fail-nth"):
        # Also those that a fault was meant for and did not hit.
        _quiet(thread)
    start, end = _text(module)
    for kind in KINDS:
        # In this order, so that there is no moment at which all of the kernel is meant.
        _knobs(kind, probability=0, interval=1, space=0, verbose=0, task_filter="N", times=TIMES)
        _knobs(kind, stacktrace_depth=depth, require_start=hex(start))
        _knobs(kind, require_end=hex(end if kind in kinds else start))
    for kind, checker in CHECKERS.items():
        start, end = _function(checker)
        _knobs(kind, reject_start=hex(start), reject_end=hex(end), ignore_gfp_wait="N")
    _knobs("fail_page_alloc", min_order=0)


def _quiet(path, number=0):
    """Set a thread's fail-nth, if the thread is still there."""
    try:
        _put(path, number)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ESRCH):
            raise


def chance(kind, percent, interval=1):
    """Of each `interval` allocations one fails, and that with a probability in percent."""
    _knobs(kind, interval=interval, probability=percent)


def function(name, retval, percent):
    """Let a function of the driver fail that is marked for it; with 0 percent, no more."""
    kind = "fail_function"
    if percent == 0:
        count = TIMES - _times(kind)
        _put(f"{DEBUGFS}/{kind}/inject", "!" + name)
        return count
    _knobs(kind, probability=0, interval=1, space=0, verbose=0, task_filter="N", times=TIMES)
    _put(f"{DEBUGFS}/{kind}/inject", name)
    if retval:
        _put(f"{DEBUGFS}/{kind}/{name}/retval", hex(retval % (1 << 64)))
    _knobs(kind, probability=percent)
    return 0


def realloc(name, percent):
    """Move the memory of an interface's packets whenever the network stack might do so."""
    kind = "fail_skb_realloc"
    _put(f"{DEBUGFS}/{kind}/devname", name + "\n")
    _knobs(kind, probability=0, times=TIMES, verbose=0, stacktrace_depth=0, require_start=0)
    _knobs(kind, require_end=hex((1 << 64) - 1), probability=percent)


def function_faults():
    """How often the function of function() has failed so far."""
    return TIMES - _times("fail_function")


def _times(kind):
    with open(f"{DEBUGFS}/{kind}/times", encoding="ascii") as file:
        return int(file.read())


def injected():
    """How many of each kind have failed since aim()."""
    return {kind: TIMES - _times(kind) for kind in KINDS}


def _nth(number, operation):
    """Let the operation's n-th allocation fail. Tells whether it had so many, and its errno."""
    result = 0
    with open("/proc/thread-self/fail-nth", "r+b", buffering=0) as control:
        control.write(str(number).encode())
        try:
            operation()
        except OSError as error:
            result = error.errno
        finally:
            left = int(os.pread(control.fileno(), 16, 0))
            control.write(b"0")
    return {"hit": left == 0, "errno": result}


def nth_write(number, path, text):
    """Write to a file whose n-th allocation in the kernel fails."""
    data = text.encode()
    file = os.open(path, os.O_WRONLY)
    try:
        return _nth(number, lambda: os.write(file, data))
    finally:
        os.close(file)


def nth_read(number, path):
    """Open and read a file whose n-th allocation in the kernel fails."""

    def read():
        with open(path, "rb", buffering=0) as file:
            while file.read(4096):
                pass

    return _nth(number, read)


def nth_link(number, name, up):
    """Take an interface up or down; its n-th allocation in the kernel fails."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sh14x", name.encode(), 0)
        flags = struct.unpack_from("16xh", fcntl.ioctl(sock, SIOCGIFFLAGS, request))[0]
        flags = flags | IFF_UP if up else flags & ~IFF_UP
        request = struct.pack("16sh14x", name.encode(), flags)
        return _nth(number, lambda: fcntl.ioctl(sock, SIOCSIFFLAGS, request))


def nth_command(number, argv, timeout=60):
    """Run a program whose n-th allocation in the kernel fails."""
    before = sum(injected().values())
    done = subprocess.run(
        argv,
        check=False,
        capture_output=True,
        timeout=timeout,
        preexec_fn=lambda: _put("/proc/self/fail-nth", number),
    )
    return {
        "hit": sum(injected().values()) > before,
        "rc": done.returncode,
        "out": (done.stdout + done.stderr).decode(errors="replace")[-2000:],
    }


def nth_threads(number, prefix):
    """Let the n-th allocation of each kernel thread fail whose name begins like this; 0: none."""
    count = 0
    for path in glob.glob("/proc/[0-9]*/comm"):
        try:
            with open(path, encoding="ascii") as file:
                name = file.read().strip()
        except OSError:
            continue
        if name.startswith(prefix):
            _quiet(os.path.dirname(path) + "/fail-nth", number)
            count += 1
    return count


FUNCTIONS = {
    "faults_aim": aim,
    "faults_chance": chance,
    "faults_injected": injected,
    "faults_function": function,
    "faults_function_count": function_faults,
    "faults_realloc": realloc,
    "nth_write": nth_write,
    "nth_read": nth_read,
    "nth_link": nth_link,
    "nth_command": nth_command,
    "nth_threads": nth_threads,
}
