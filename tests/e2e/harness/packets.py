# SPDX-License-Identifier: GPL-2.0
"""Packets, made by hand where the far end's kernel would not make such."""

import socket
import struct

PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_ICMPV6 = 6, 17, 58
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


def _ipv6(source: str, target: str, protocol: int, body: bytes, hops: int = 64) -> bytes:
    addresses = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(
        socket.AF_INET6, target
    )
    return struct.pack("!IHBB", 6 << 28, len(body), protocol, hops) + addresses + body


def _with_checksum6(source: str, target: str, protocol: int, body: bytes, place: int) -> bytes:
    """A body whose checksum, at a place of it that is 0, is right for its pseudo header."""
    addresses = _ipv6(source, target, protocol, b"")[8:40]
    checksum = _checksum(addresses + struct.pack("!II", len(body), protocol) + body)
    return body[:place] + struct.pack("!H", checksum or 0xFFFF) + body[place + 2 :]


def udp6(source: str, target: str, port: int, payload: bytes) -> bytes:
    """An IPv6 datagram to a port."""
    body = struct.pack("!HHHH", port, port, 8 + len(payload), 0) + payload
    return _ipv6(
        source, target, PROTOCOL_UDP, _with_checksum6(source, target, PROTOCOL_UDP, body, 6)
    )


def router_advertisement(source: str, prefix: str, mtu: int, lifetime: int) -> bytes:
    """What a router tells all hosts: that it is there, a prefix of 64 bits, and the link's MTU.

    The lifetime, in seconds, is that of the router and of the prefix (RFC 4861, 4.2 and 4.6).
    """
    on_link_and_autonomous = 0xC0
    body = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, lifetime, 0, 0)
    body += struct.pack("!BBHI", 5, 1, 0, mtu)
    body += struct.pack("!BBBBIII", 3, 4, 64, on_link_and_autonomous, lifetime, lifetime, 0)
    body += socket.inet_pton(socket.AF_INET6, prefix)
    target = "ff02::1"
    body = _with_checksum6(source, target, PROTOCOL_ICMPV6, body, 2)
    return _ipv6(source, target, PROTOCOL_ICMPV6, body, hops=255)


def is_valid(packet: bytes) -> bool:
    """Whether the checksums of an IPv4 packet with TCP in it are right."""
    length = 4 * (packet[0] & 0xF)
    body = packet[length:]
    pseudo = packet[12:20] + struct.pack("!HH", PROTOCOL_TCP, len(body))
    return _checksum(packet[:length]) == 0 and _checksum(pseudo + body) == 0
