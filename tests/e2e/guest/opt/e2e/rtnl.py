# SPDX-License-Identifier: GPL-2.0
"""Measures how long RTNL is held, by waiting for it."""

import fcntl
import socket
import struct
import threading
import time

SIOCGIFFLAGS, SIOCSIFFLAGS = 0x8913, 0x8914
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


FUNCTIONS = {"rtnl_watch_start": rtnl_watch_start, "rtnl_watch_stop": rtnl_watch_stop}
