# SPDX-License-Identifier: GPL-2.0
"""What the guest's kernel shows of the driver: interfaces, runtime PM, references."""

import glob
import os
import time

BIND = "/sys/bus/platform/drivers/bam-dmux"


def read(path):
    """A file's text without white space around it, or None."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return None


def interfaces():
    """The driver's network interfaces: {channel: name}."""
    found = {}
    for path in glob.glob("/sys/class/net/*/device/driver"):
        if os.path.basename(os.path.realpath(path)) == "bam-dmux":
            name = path.split("/")[4]
            port = read(f"/sys/class/net/{name}/dev_port")
            if port is not None:
                found[int(port)] = name
    return found


def interface(name):
    """All attributes of an interface that user space relies on."""
    base = f"/sys/class/net/{name}"
    files = "type flags mtu tx_queue_len dev_port addr_len addr_assign_type name_assign_type"
    result = {key: int(read(f"{base}/{key}"), 0) for key in files.split() if read(f"{base}/{key}")}
    result["operstate"] = read(f"{base}/operstate")
    result["carrier"] = read(f"{base}/carrier")
    result["uevent"] = read(f"{base}/uevent").splitlines()
    result["parent"] = os.path.basename(os.path.realpath(f"{base}/device"))
    result["driver"] = os.path.basename(os.path.realpath(f"{base}/device/driver"))
    result["queues"] = sorted(os.listdir(f"{base}/queues"))
    return result


def device():
    """The platform device's power state and bound driver."""
    for path in glob.glob("/sys/bus/platform/devices/*bam-dmux*"):
        if not os.path.exists(f"{path}/power"):
            continue
        if read(f"{path}/of_node/compatible") and "qcom,bam-dmux" not in read(
            f"{path}/of_node/compatible"
        ):
            continue
        names = "control runtime_status runtime_usage autosuspend_delay_ms runtime_active_kids"
        power = {name: read(f"{path}/power/{name}") for name in names.split()}
        driver = f"{path}/driver"
        power["name"] = os.path.basename(path)
        power["path"] = os.path.realpath(path)
        power["driver"] = (
            os.path.basename(os.path.realpath(driver)) if os.path.exists(driver) else None
        )
        return power
    return None


def module(name):
    """Reference count of a loaded module, or None."""
    count = read(f"/sys/module/{name}/refcnt")
    return None if count is None else int(count)


def statistics(name):
    """The kernel's counters of an interface."""
    base = f"/sys/class/net/{name}/statistics"
    return {key: int(read(f"{base}/{key}")) for key in os.listdir(base)}


def driver_counters():
    """The counters in our driver's state file ({} for a driver that has none)."""
    counters = {}
    for path in glob.glob("/sys/kernel/debug/bam_dmux/*/state"):
        for line in read(path).splitlines():
            name, _, value = line.partition(": ")
            if value.isdigit():
                counters[name] = int(value)
    return counters


def kernel_threads():
    """Now, and the processor time of all kernel threads so far, both in seconds."""
    ticks = 0
    for path in glob.glob("/proc/[0-9]*/stat"):
        # Fields after the name, which is in brackets: parent (2 is kthreadd) and system time.
        fields = (read(path) or ")").rpartition(")")[2].split()
        if fields and fields[1] == "2":
            ticks += int(fields[12])
    return time.monotonic(), ticks / os.sysconf("SC_CLK_TCK")


def link_local(name):
    """The IPv6 address the kernel derives from the interface's permanent address."""
    for line in read("/proc/net/if_inet6").splitlines():
        address, _, _, scope, _, interface_name = line.split()
        if interface_name == name and scope == "20":
            return address
    return None


def addresses(name):
    """The IPv6 addresses of an interface: [address, scope, flags as the kernel has them]."""
    found = []
    for line in read("/proc/net/if_inet6").splitlines():
        address, _, _, scope, flags, interface_name = line.split()
        if interface_name == name:
            found.append([address, int(scope, 16), int(flags, 16)])
    return found


def leftovers():
    """What a driver that is not bound has left behind, in words."""
    found = [f"interface {name}" for name in interfaces().values()]
    for line in (read("/proc/interrupts") or "").splitlines():
        if "bam-dmux-pc" in line:
            found.append(f"interrupt: {line.strip()}")
    found += glob.glob("/sys/kernel/debug/bam_dmux/*/*")
    found += [f"DMA channel: {line}" for line in _dma_users() if "bam-dmux" in line]
    now = device()
    if now["driver"]:
        found.append(f"driver {now['driver']} is bound")
    if now["runtime_usage"] not in (None, "0"):
        found.append(f"{now['runtime_usage']} runtime PM references")
    if now["runtime_status"] not in (None, "suspended", "unsupported"):
        found.append(f"runtime PM status {now['runtime_status']}")
    if glob.glob(now["path"] + "/net/*"):
        found.append("network devices below the platform device")
    return found


def _dma_users():
    return (read("/sys/kernel/debug/dmaengine/summary") or "").splitlines()


def clock():
    """The phone's clock, in seconds since 1970: that of the programs' logs."""
    return time.time()


FUNCTIONS = {
    "addresses": addresses,
    "clock": clock,
    "leftovers": leftovers,
    "driver_counters": driver_counters,
    "kernel_threads": kernel_threads,
    "link_local": link_local,
    "interfaces": lambda: {str(port): name for port, name in interfaces().items()},
    "interface": interface,
    "device": device,
    "module": module,
    "statistics": statistics,
    "read": lambda path: read(path),
}
