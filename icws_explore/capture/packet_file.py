"""Packets out of pcap and pcapng files, each with the kind of link that it was recorded on.

dpkt's own readers believe the lengths in a file, know one interface of a pcapng file, and end at the
first damaged block. Here lengths are bounded, every interface has its own link and clock, and a damaged
block costs itself. Sources: the Internet drafts draft-ietf-opsawg-pcap and -pcapng.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from dpkt import pcap

from .frame import MAX_TIME_S
from .notes import Notes

MAX_BLOCK: Final = 16 * 1024 * 1024  # bytes of one packet's record
MAX_INTERFACES: Final = 10_000
_SECTION, _INTERFACE, _SIMPLE_PACKET = 0x0A0D0D0A, 1, 3  # kinds of blocks
_PACKETS: Final = {6: "IIIII", 2: "HxxIIII"}  # enhanced, and of old: interface, time (high, low), two lengths
_PACKET_HEAD: Final = 20  # bytes of either
_TIME_RESOLUTION, _TIME_OFFSET = 9, 14  # options of an interface
_BYTE_ORDERS: Final = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_LINK_BITS: Final = 0xFFFF  # what stands above them in a pcap file is the length of a check sum


class Packet(NamedTuple):
    """``t`` in seconds since the epoch. ``was_cut``: the recorder kept only the start of it (its snap length)."""

    t: float
    link: int
    data: bytes
    was_cut: bool


def read_packets(stream: io.BufferedReader, notes: Notes) -> Iterator[Packet]:
    """The packets in the file's order; ``notes`` say what could not be read. Raises OSError."""
    is_pcapng = stream.peek(4)[:4] == _SECTION.to_bytes(4)
    previous = 0.0
    for number, packet in enumerate(_pcapng(stream, notes) if is_pcapng else _pcap(stream, notes), 1):
        if abs(packet.t) < MAX_TIME_S:
            previous = packet.t
            yield packet
        else:
            notes.some("with such times", f"packet {number} has an impossible time; it got that of the one before")
            yield packet._replace(t=previous)


def _pcap(stream: io.BufferedReader, notes: Notes) -> Iterator[Packet]:
    head = stream.read(pcap.FileHdr.__hdr_len__)
    if len(head) < pcap.FileHdr.__hdr_len__:
        notes.append(_torn(0, "its header is cut short"))
        return
    magic = int.from_bytes(head[:4])
    packet_head = pcap.MAGIC_TO_PKT_HDR[magic]
    is_little = magic in (pcap.PMUDPCT_MAGIC, pcap.PMUDPCT_MAGIC_NANO, pcap.PACPDOM_MAGIC)
    link = int((pcap.LEFileHdr if is_little else pcap.FileHdr)(head).linktype) & _LINK_BITS
    divisor = 1e9 if magic in (pcap.TCPDUMP_MAGIC_NANO, pcap.PMUDPCT_MAGIC_NANO) else 1e6
    number = 0
    while record := stream.read(packet_head.__hdr_len__):
        if len(record) < packet_head.__hdr_len__:
            notes.append(_torn(number, "the header of a packet is cut short"))
            return
        fields = packet_head(record)
        if fields.caplen > MAX_BLOCK:
            notes.append(_torn(number, f"a packet of {fields.caplen} bytes"))
            return
        data = stream.read(fields.caplen)
        if len(data) < fields.caplen:
            notes.append(_torn(number, "a packet is cut short"))
            return
        number += 1
        yield Packet(fields.tv_sec + fields.tv_usec / divisor, link, data, fields.caplen < fields.len)


def _pcapng(stream: io.BufferedReader, notes: Notes) -> Iterator[Packet]:
    section = _Section("<")
    number = 0
    while head := stream.read(8):
        if head[:4] == _SECTION.to_bytes(4):
            order = _BYTE_ORDERS.get(stream.peek(4)[:4])
            if order is None:
                notes.append(_torn(number, "a section without a byte order"))
                return
            section = _Section(order)
        kind, size = struct.unpack(f"{section.order}II", head.ljust(8, b"\0"))
        if not 12 <= size <= MAX_BLOCK:
            notes.append(_torn(number, f"a block of {size} bytes"))
            return
        body = stream.read(size - 8)
        if len(body) < size - 8:
            notes.append(_torn(number, "a block is cut short"))
            return
        number += kind in _PACKETS
        try:
            if kind == _INTERFACE:
                section.describe(body)
            elif kind in _PACKETS:
                yield section.packet(kind, body)
            elif kind == _SIMPLE_PACKET:
                notes.some("without times", "a packet without a time (a simple packet block) is left out")
        except (LookupError, struct.error) as error:
            notes.some("damaged blocks", f"a damaged block near packet {number} is left out ({error})")


@dataclass(slots=True)
class _Section:
    """What a section of a pcapng file has said of itself: its byte order, and its interfaces."""

    order: str
    interfaces: list[tuple[int, float, int]] = field(default_factory=list)  # link, ticks in a second, offset (s)

    def describe(self, body: bytes) -> None:
        """One more interface."""
        if len(self.interfaces) == MAX_INTERFACES:
            return
        (link,) = struct.unpack_from(f"{self.order}H", body)
        ticks, offset_s = 1e6, 0
        for code, value in self._options(body[8:-4]):
            if code == _TIME_RESOLUTION and value:
                ticks = float((2 if value[0] & 0x80 else 10) ** (value[0] & 0x7F))
            elif code == _TIME_OFFSET and len(value) == 8:
                (offset_s,) = struct.unpack(f"{self.order}q", value)
        self.interfaces.append((link, ticks, offset_s))

    def packet(self, kind: int, body: bytes) -> Packet:
        """The packet in a block of that kind. Raises LookupError for an interface that is not described."""
        interface, high, low, captured, original = struct.unpack_from(self.order + _PACKETS[kind], body)
        if interface >= len(self.interfaces):
            raise LookupError(f"no interface {interface}")
        link, ticks, offset_s = self.interfaces[interface]
        data = body[_PACKET_HEAD : min(_PACKET_HEAD + captured, len(body) - 4)]
        return Packet(offset_s + (high << 32 | low) / ticks, link, data, len(data) < original)

    def _options(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        at = 0
        while at + 4 <= len(data):
            code, size = struct.unpack_from(f"{self.order}HH", data, at)
            yield code, data[at + 4 : at + 4 + size]
            at += 4 + size + -size % 4


def _torn(number: int, why: str) -> str:
    return f"the file is torn or damaged after packet {number} ({why}); the rest is left out"
