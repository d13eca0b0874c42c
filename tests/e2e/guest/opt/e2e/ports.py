# SPDX-License-Identifier: GPL-2.0
"""Programs that wait at a character device: the modem's control port."""

import os
import select
import threading

NAMES = {
    select.EPOLLIN: "in",
    select.EPOLLOUT: "out",
    select.EPOLLERR: "err",
    select.EPOLLHUP: "hup",
}
waiting = []


class Poller(threading.Thread):
    """Waits for events at a port until it hangs up.

    Edges and not levels, for the port can nearly always be written to.
    """

    def __init__(self, path):
        super().__init__(daemon=True)
        self.events = set()
        self.port = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self.poll = select.epoll()
        self.poll.register(self.port, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)

    def run(self):
        """Until the end of the port."""
        while "hup" not in self.events:
            for _, events in self.poll.poll():
                self.events |= {name for bit, name in NAMES.items() if events & bit}

    def close(self):
        """Give up the port: first the wait, then the file, as programs do."""
        self.poll.close()
        os.close(self.port)


def port_poll(path):
    """From now on somebody waits at the port."""
    waiting.append(Poller(path))
    waiting[-1].start()


def port_polled(timeout):
    """The events until the port hung up, or until the time is over; it is closed then."""
    poller = waiting.pop()
    poller.join(timeout)
    poller.close()
    return sorted(poller.events)


FUNCTIONS = {
    "port_poll": port_poll,
    "port_polled": port_polled,
}
