# SPDX-License-Identifier: GPL-2.0
"""IPv4 packets, made by hand where the far end's kernel would not make such."""

import socket
import struct

PROTOCOL_TCP, PROTOCOL_UDP = 6, 17
ACK = 0x10


def _checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _ipv4(source: str, target: str, protocol: int, body: bytes) -> bytes:
    addresses = socket.inet_aton(source) + socket.inet_aton(target)
    start = struct.pack("!BBHHHBB", 0x45, 0, 20 + len(body), 0, 0x4000, 64, protocol)
    checksum = _checksum(start + b"\0\0" + addresses)
    return start + struct.pack("!H", checksum) + addresses + body


def udp(source: str, target: str, port: int, payload: bytes) -> bytes:
    """A datagram to a port, without a checksum."""
    return _ipv4(
        source,
        target,
        PROTOCOL_UDP,
        struct.pack("!HHHH", port, port, 8 + len(payload), 0) + payload,
    )


def tcp(source: str, target: str, port: int, sequence: int, payload: bytes) -> bytes:
    """A segment in the middle of a connection, with all checksums right."""
    addresses = socket.inet_aton(source) + socket.inet_aton(target)

    def segment(checksum: int) -> bytes:
        header = (port, port, sequence, 1, 5 << 4, ACK, 8192, checksum, 0)
        return struct.pack("!HHIIBBHHH", *header) + payload

    pseudo = addresses + struct.pack("!HH", PROTOCOL_TCP, 20 + len(payload))
    return _ipv4(source, target, PROTOCOL_TCP, segment(_checksum(pseudo + segment(0))))
