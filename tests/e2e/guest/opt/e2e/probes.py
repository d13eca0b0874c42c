# SPDX-License-Identifier: GPL-2.0
"""Looks at what the kernel does with single packets, from where it can be seen."""

import array
import errno
import fcntl
import os
import select
import signal
import socket
import struct
import threading
import time

ETH_P_ALL = 3
ETH_P_IP = 0x0800
PACKET_OUTGOING = 4
SO_ATTACH_FILTER = 26
SO_MEMINFO = 55
SIOCGIFFLAGS, SIOCSIFFLAGS = 0x8913, 0x8914
IFF_UP = 1
RTMGRP_LINK = 1
RTM_NEWLINK = 16
# Classic BPF: load a byte from an address that counts from the link layer's header; take all.
BPF_LD_B_ABS, BPF_RET_K = 0x30, 0x06
SKF_LL_OFF = 0xFFE00000

sockets = {}


def _count(sock, idle):
    """Packets of others that wait in a packet socket, until none came for `idle` seconds."""
    count = 0
    while select.select([sock], [], [], idle)[0]:
        _, address = sock.recvfrom(65536)
        count += address[2] != PACKET_OUTGOING
    return count


def link_layer_start(interface):
    """Tap an interface with a filter that reads a byte of the link layer's header."""
    program = struct.pack("=HBBI", BPF_LD_B_ABS, 0, 0, SKF_LL_OFF)
    program += struct.pack("=HBBI", BPF_RET_K, 0, 0, 0xFFFFFFFF)
    buffer = array.array("B", program)
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
    sock.setsockopt(
        socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", 2, buffer.buffer_info()[0])
    )
    sock.bind((interface, ETH_P_ALL))
    sockets[interface] = sock


def link_layer_count(interface, idle=1):
    """How many packets passed the filter."""
    with sockets.pop(interface) as sock:
        return _count(sock, idle)


def send_raw(interface, packets, protocol):
    """Send packets, in hexadecimal, as they are, and with a protocol that may be 0."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
        for packet in packets:
            sock.sendto(bytes.fromhex(packet), (interface, protocol, 0, 0, b""))


def tap_start(interface):
    """Tap an interface: what others send on it is kept."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
    sock.bind((interface, ETH_P_ALL))
    sockets[interface] = sock


def tap_sent(interface, count, timeout):
    """The first packets that the tap saw leaving, each as its protocol and its bytes."""
    found = []
    end = time.monotonic() + timeout
    with sockets.pop(interface) as sock:
        while len(found) < count and time.monotonic() < end:
            if select.select([sock], [], [], 0.2)[0]:
                data, address = sock.recvfrom(65536)
                if address[2] == PACKET_OUTGOING:
                    found.append([address[1], data.hex()])
    return found


def receiver_start(host, port, size):
    """A UDP socket that nobody reads, with a receive buffer of `size` bytes."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
    sock.bind((host, port))
    sock.setblocking(False)
    sockets[port] = sock


def receiver_count(port):
    """Datagrams that the socket holds, and the memory that they are charged with."""
    with sockets.pop(port) as sock:
        charged = struct.unpack("9I", sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36))[0]
        held = 0
        while True:
            try:
                sock.recv(4096)
            except BlockingIOError:
                return {"held": held, "charged": charged}
            held += 1


def _next_interface(link, known, timeout):
    """The name of the next interface that is announced."""
    end = time.monotonic() + timeout
    while select.select([link], [], [], max(0, end - time.monotonic()))[0]:
        data = link.recv(65536)
        kind = struct.unpack_from("=H", data, 4)[0]
        index = struct.unpack_from("=i", data, 20)[0]
        if kind == RTM_NEWLINK and index not in known:
            return socket.if_indextoname(index)
    raise TimeoutError("no interface was announced")


def _set_up(sock, name):
    request = struct.pack("16sH14x", name.encode(), 0)
    flags = struct.unpack_from("=H", fcntl.ioctl(sock, SIOCGIFFLAGS, request), 16)[0]
    fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sH14x", name.encode(), flags | IFF_UP))


class EarlyBird(threading.Thread):
    """Brings up the next new interface as soon as it is announced, and sees if frames come back.

    As a real-time task on the CPU that the driver's work runs on, it goes on before whoever
    announced the interface does, and looks without ever sleeping.
    """

    def __init__(self, cpu, frames, timeout):
        super().__init__(daemon=True)
        self.cpu, self.frames, self.timeout = cpu, frames, timeout
        self.link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        self.link.bind((0, RTMGRP_LINK))
        self.known = {index for index, _ in socket.if_nameindex()}
        self.result = None

    def run(self):
        """Until it is found out."""
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        tap.setblocking(False)
        with self.link, tap:
            os.sched_setaffinity(0, {self.cpu})
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
            name = _next_interface(self.link, self.known, self.timeout)
            _set_up(self.link, name)
            self.result = {"name": name, "received": _exchange(tap, name, self.frames)}


birds = []


def early_bird_start(cpu, frames, timeout):
    """From now on new interfaces are noticed."""
    birds.append(EarlyBird(cpu, frames, timeout))
    birds[-1].start()


def early_bird_result():
    """What came of it: None if there was no interface, or it could not be used."""
    bird = birds.pop()
    bird.join()
    return bird.result


def _exchange(tap, name, frames):
    tap.bind((name, ETH_P_ALL))
    for _ in range(frames):
        tap.sendto(b"\x45" + bytes(99), (name, ETH_P_IP, 0, 0, b""))
    received = 0
    end = time.monotonic() + 0.4
    while received < frames and time.monotonic() < end:
        try:
            _, address = tap.recvfrom(4096)
        except OSError as error:
            if error.errno != errno.EAGAIN:
                raise
            continue
        received += address[2] != PACKET_OUTGOING
    return received


def _spin(cpu, seconds, started):
    """Keep a processor from all that is less urgent, threads of interrupts too; does not return."""
    try:
        os.sched_setaffinity(0, {cpu})
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(90))
        os.write(started, b"1")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass
    finally:
        os._exit(0)


def urgent_write(path, text, longest):
    """Write to a file; threads of interrupts run only when that is done.

    For two processors: the writer has one of them, the other one is kept busy, for `longest`
    seconds at most.
    """
    seen, started = os.pipe()
    spinner = os.fork()
    if spinner == 0:
        _spin(1, longest, started)
    file = os.open(path, os.O_WRONLY)
    try:
        os.read(seen, 1)
        os.sched_setaffinity(0, {0})
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(95))
        os.write(file, text.encode())
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        os.sched_setaffinity(0, set(range(os.cpu_count())))
        os.kill(spinner, signal.SIGKILL)
        os.waitpid(spinner, 0)
        for descriptor in (file, seen, started):
            os.close(descriptor)


FUNCTIONS = {
    "early_bird_result": early_bird_result,
    "early_bird_start": early_bird_start,
    "link_layer_count": link_layer_count,
    "link_layer_start": link_layer_start,
    "receiver_count": receiver_count,
    "receiver_start": receiver_start,
    "send_raw": send_raw,
    "tap_sent": tap_sent,
    "tap_start": tap_start,
    "urgent_write": urgent_write,
}
