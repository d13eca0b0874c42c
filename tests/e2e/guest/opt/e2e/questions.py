# SPDX-License-Identifier: GPL-2.0
"""Asks for an interface as `ip link` and `ethtool` do, again and again, until its input ends.

    questions.py NAME

It goes before all that is not urgent: what it measures is how long the kernel takes to answer. In
the end it says on its output, in JSON: the longest answer to each kind of question, in seconds; how
often it has asked; answers that were an error, which count, for what is measured is the wait for
one; and by how much its own pauses were too long, which is the machine's doing.
"""

import array
import fcntl
import json
import os
import select
import socket
import struct
import sys
import time

SIOCETHTOOL, ETHTOOL_GDRVINFO = 0x8946, 3
NETLINK_ROUTE, NLM_F_REQUEST = 0, 1
RTM_NEWLINK, RTM_GETLINK, IFLA_IFNAME = 16, 18, 3
# Between two rounds, in seconds.
PAUSE = 0.01
PRIORITY = 5


def ip_link(sock, name):
    """What `ip link show NAME` asks for."""
    text = name.encode() + b"\0"
    attribute = struct.pack("=HH", 4 + len(text), IFLA_IFNAME) + text
    attribute += bytes(-len(attribute) % 4)
    body = struct.pack("=BxHiII", 0, 0, 0, 0, 0) + attribute
    sock.send(struct.pack("=IHHII", 16 + len(body), RTM_GETLINK, NLM_F_REQUEST, 1, 0) + body)
    kind = struct.unpack_from("=H", sock.recv(65536), 4)[0]
    if kind != RTM_NEWLINK:
        raise OSError(f"an answer of type {kind}")


def ethtool(sock, name):
    """What `ethtool -i NAME` asks for."""
    answer = array.array("B", struct.pack("=I", ETHTOOL_GDRVINFO) + bytes(196))
    request = struct.pack("16sP16x", name.encode(), answer.buffer_info()[0])
    fcntl.ioctl(sock, SIOCETHTOOL, request)


def main():
    """Ask."""
    name = sys.argv[1]
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE)
    link.bind((0, 0))
    inet = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    questions = {"ip link": lambda: ip_link(link, name), "ethtool": lambda: ethtool(inet, name)}
    longest, refused = dict.fromkeys(questions, 0.0), {}
    times, late = 0, 0.0
    while True:
        for what, question in questions.items():
            began = time.monotonic()
            try:
                question()
            except OSError as error:
                refused[what] = str(error)
            longest[what] = max(longest[what], time.monotonic() - began)
        times += 1
        began = time.monotonic()
        if select.select([sys.stdin], [], [], PAUSE)[0]:
            break
        late = max(late, time.monotonic() - began - PAUSE)
    print(json.dumps({"longest": longest, "times": times, "refused": refused, "late": late}))


main()
