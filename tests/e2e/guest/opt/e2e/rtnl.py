# SPDX-License-Identifier: GPL-2.0
"""Measures how long RTNL is held, and how long the kernel takes over questions about interfaces."""

import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time

SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCETHTOOL = 0x8913, 0x8914, 0x8946
ETHTOOL_GDRVINFO = 3
NETLINK_ROUTE, NLM_F_REQUEST = 0, 1
RTM_NEWLINK, RTM_GETLINK, IFLA_IFNAME = 16, 18, 3
# Between two looks, in seconds.
PAUSE = 0.01


class Watch(threading.Thread):
    """Sets the flags of the loopback interface to what they are, which takes RTNL."""

    def __init__(self):
        super().__init__(daemon=True)
        self.running = True
        self.longest, self.times = 0.0, 0

    def run(self):
        """Until stop."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            request = struct.pack("16sh14x", b"lo", 0)
            request = fcntl.ioctl(sock, SIOCGIFFLAGS, request)
            while self.running:
                began = time.monotonic()
                fcntl.ioctl(sock, SIOCSIFFLAGS, request)
                self.longest = max(self.longest, time.monotonic() - began)
                self.times += 1
                time.sleep(PAUSE)


questions = []


def questions_start(name):
    """From now on somebody asks for an interface all the time (questions.py)."""
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "questions.py")
    questions.append(
        subprocess.Popen(
            [sys.executable, "-S", program, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
    )


def questions_stop():
    """What it has measured. Raises if it does not answer any more."""
    asking = questions.pop()
    try:
        return json.loads(asking.communicate(timeout=30)[0])
    finally:
        asking.kill()


watches = []


def rtnl_watch_start():
    """From now on it is measured."""
    watches.append(Watch())
    watches[-1].start()


def rtnl_watch_stop():
    """The longest wait in seconds, and how often it was looked at."""
    watch = watches.pop()
    watch.running = False
    watch.join(30)
    return {"longest": watch.longest, "times": watch.times}


FUNCTIONS = {
    "questions_start": questions_start,
    "questions_stop": questions_stop,
    "rtnl_watch_start": rtnl_watch_start,
    "rtnl_watch_stop": rtnl_watch_stop,
}
