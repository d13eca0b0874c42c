# SPDX-License-Identifier: GPL-2.0
"""The far end of the link: services in the network namespace behind the modem.

TCP and UDP content is computed on both ends, so each byte is checked; the guest's
end is guest/opt/e2e/traffic.py: keep the two in step. For people there are HTTP
(a download and an upload), iperf3, and the names of all of it (harness/dns.py).
"""

import hashlib
import http.server
import socket
import subprocess
import threading
import time
from pathlib import Path

from harness.dns import NameServer
from harness.netns import NetNs

TCP_PORT = 7001
UDP_PORT = 7002
HTTP_PORT = 8080
IPERF_PORT = 5201


def content(seed: str, size: int) -> bytes:
    """`size` bytes that only the seed decides."""
    return hashlib.shake_128(seed.encode()).digest(size)


def digest(seed: str, size: int) -> str:
    """SHA-256 of such content, in hexadecimal."""
    return hashlib.sha256(content(seed, size)).hexdigest()


class _Http(http.server.BaseHTTPRequestHandler):
    """GET /<bytes> answers with content of the seed "http"; PUT answers with the body's digest."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:  # noqa: N802 - the name http.server looks for
        data = content("http", min(int(self.path.strip("/") or 0), 1 << 28))
        self._answer(data)

    def do_PUT(self) -> None:  # noqa: N802
        digest = hashlib.sha256()
        left = int(self.headers.get("Content-Length", 0))
        while left and (data := self.rfile.read(min(left, 65536))):
            digest.update(data)
            left -= len(data)
        self._answer(digest.hexdigest().encode() + b"\n")

    def _answer(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the console belongs to the results."""


class _HttpServer(http.server.ThreadingHTTPServer):
    """The HTTP server on a socket that is already there."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(("", HTTP_PORT), _Http, bind_and_activate=False)
        self.socket.close()
        self.socket = sock
        self.server_name, self.server_port = "far-end", HTTP_PORT

    def handle_error(self, request: object, client_address: object) -> None:
        """A link that goes down in the middle is a part of the tests."""


class Services:
    """All services of one phone's far end. IPv4 and IPv6, on every address."""

    def __init__(self, netns: NetNs, log: Path) -> None:
        self._netns = netns
        self._sockets: list[socket.socket] = []
        self.names = NameServer(netns, log.with_name("dns.log"))
        tcp = self._listen(TCP_PORT)
        udp = self._bind(socket.SOCK_DGRAM, UDP_PORT)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._http = _HttpServer(self._listen(HTTP_PORT))
        self._spawn(self._serve_tcp, tcp)
        self._spawn(self._serve_udp, udp)
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        with log.open("ab") as file:
            self._iperf = netns.popen(
                ["iperf3", "--server", "--port", str(IPERF_PORT)],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )

    def _bind(self, kind: int, port: int) -> socket.socket:
        sock = self._netns.socket(socket.AF_INET6, kind)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("::", port))
        self._sockets.append(sock)
        return sock

    def _listen(self, port: int) -> socket.socket:
        sock = self._bind(socket.SOCK_STREAM, port)
        sock.listen(64)
        return sock

    @staticmethod
    def _spawn(function, *args) -> None:
        threading.Thread(target=function, args=args, daemon=True).start()

    def _serve_tcp(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            self._spawn(self._serve_one, sock)

    @staticmethod
    def _serve_one(sock: socket.socket) -> None:
        try:
            with sock:
                sock.settimeout(120)
                file = sock.makefile("rb")
                verb, size, seed = file.readline().decode().split()
                if verb == "DOWN":
                    sock.sendall(content(seed, int(size)))
                else:
                    digest, left = hashlib.sha256(), int(size)
                    while left and (data := file.read1(min(left, 65536))):
                        digest.update(data)
                        left -= len(data)
                    sock.sendall(f"{int(size) - left} {digest.hexdigest()}\n".encode())
        except (OSError, ValueError):
            pass  # the guest's end reports it

    @staticmethod
    def _serve_udp(sock: socket.socket) -> None:
        while True:
            try:
                data, peer = sock.recvfrom(65536)
            except OSError:
                return
            try:
                sock.sendto(data, peer)
            except OSError:
                time.sleep(0.001)  # no route back while the link is down

    def close(self) -> None:
        """Stop all of them."""
        self.names.stop()
        self._iperf.kill()
        self._iperf.wait()
        self._http.shutdown()
        for sock in self._sockets:
            sock.close()
