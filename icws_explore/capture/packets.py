"""Captures from packet files (pcap and pcapng) with plain ws:// traffic.

dpkt parses the packets. The files are read here, because dpkt's readers trust the lengths in a file, know
only one interface of a pcapng file and stop at the first damaged block. Here lengths are bounded, every
interface has its own link type and clock, and only the damaged block is lost. Packets of a wss:// session
are encrypted and cannot be read; use a tap instead. Sources: the Internet drafts draft-ietf-opsawg-pcap
and draft-ietf-opsawg-pcapng.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from heapq import merge
from pathlib import Path
from typing import Any, Final, NamedTuple

import dpkt
from dpkt import pcap

from icws_explore.protocol.budgets import FILE_FRAMES as MAX_FRAMES
from icws_explore.protocol.budgets import PACKET_BLOCK as MAX_BLOCK
from icws_explore.protocol.budgets import PACKET_BYTES as MAX_BYTES
from icws_explore.protocol.budgets import PACKET_CONNECTIONS as MAX_CONNECTIONS
from icws_explore.protocol.budgets import PACKET_FREE as FREE_BYTES
from icws_explore.protocol.budgets import PACKET_HEADERS as MAX_HEADERS
from icws_explore.protocol.budgets import PACKET_INTERFACES as MAX_INTERFACES
from icws_explore.protocol.budgets import PACKET_RATIO as MAX_RATIO
from icws_explore.protocol.errors import CaptureError

from .capture import Capture, SessionInfo
from .files import PCAP_MAGICS, START, FileKind, Notes, kind_of, open_file, shown, unreadable
from .frame import MAX_TIME_S, encodable
from .har import stated_time
from .tcp import Segment, TcpSocket
from .tunnels import ip_packet, is_known, protocol_name

_SECTION, _INTERFACE, _SIMPLE_PACKET = 0x0A0D0D0A, 1, 3  # block types
_PACKETS: Final = {6: "IIIII", 2: "HxxIIII"}  # enhanced and obsolete: interface, time (high, low), two lengths
_PACKET_HEAD: Final = 20  # bytes, of both
_TIME_RESOLUTION, _TIME_OFFSET = 9, 14  # options of an interface
_BYTE_ORDERS: Final = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_LINK_BITS: Final = 0xFFFF  # the bits above them hold the length of a checksum


class Packet(NamedTuple):
    """``t`` is in seconds since the epoch. ``was_cut`` says that only the start was recorded (snap length)."""

    t: float
    link: int
    data: bytes
    was_cut: bool


def read_packets(stream: io.BufferedReader, notes: Notes) -> Iterator[Packet]:
    """Yield the packets in the order of the file, and note what could not be read. Raises OSError."""
    is_pcapng = stream.peek(4)[:4] == _SECTION.to_bytes(4)
    previous = 0.0
    for number, packet in enumerate(_pcapng(stream, notes) if is_pcapng else _pcap(stream, notes), 1):
        if abs(packet.t) < MAX_TIME_S:
            previous = packet.t
            yield packet
        else:
            notes.some("with such times", f"packet {number} has an impossible time; the previous time is used")
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
    """The byte order and the interfaces of a section of a pcapng file."""

    order: str
    interfaces: list[tuple[int, float, int]] = field(default_factory=list)  # link, ticks in a second, offset (s)

    def describe(self, body: bytes) -> None:
        """Add an interface."""
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
        """Read the packet in a block of type ``kind``. Raises LookupError if its interface is not described."""
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


_FRAGMENT: Final = 44  # the extension header of an IPv6 fragment
_READ_ERRORS: Final = (
    dpkt.Error,
    ValueError,
    ArithmeticError,
    LookupError,
    TypeError,
    AttributeError,
    struct.error,
    RecursionError,
)


def is_pcap(path: str | os.PathLike[str]) -> bool:
    """Whether the file begins like a packet capture. Raises CaptureError if it cannot be read."""
    with open_file(Path(path)) as stream:
        return stream.peek(4)[:4] in PCAP_MAGICS


def load_pcap(path: str | os.PathLike[str], *, url: str = "") -> Capture:
    """Read every WebSocket of a packet capture whose URL contains ``url``; the frames are in order of time.

    An upgrade that the server refused is one response frame; see `upgrade`.

    ``capture.notes`` describes what could not be read. Raises CaptureError if the file is not a packet
    capture or has no such WebSocket.
    """
    path = Path(path)
    traffic = _Traffic()
    with open_file(path) as stream:
        kind = kind_of(stream.peek(START)[:START])
        if kind is not FileKind.PCAP:
            raise CaptureError(f"{path} is not a packet capture, it is {kind}")
        try:
            for packet in read_packets(stream, traffic.notes):
                traffic.packet(packet)
        except OSError as error:
            if not traffic.packets:
                raise unreadable(path, error) from error
            traffic.notes.append(
                f"the file could not be read to its end ({error.strerror}); everything before that is kept"
            )
    if not traffic.packets:
        why = f" ({traffic.notes[0]})" if traffic.notes else ""
        raise CaptureError(f"{path} is a packet capture without packets{why}")
    sockets = [socket for socket in traffic.sockets() if url in socket.url]
    if not sockets:
        raise CaptureError(f"{path} has {_why_none(traffic, url)}")
    return _capture(sockets, traffic.notes)


def _capture(sockets: list[TcpSocket], notes: Notes) -> Capture:
    several = len(sockets) > 1
    streams = []
    for number, socket in enumerate(sockets, 1):
        session = str(number) if several else None
        where = f"session {session}" if several else "the session"
        if several:
            notes.some("sessions", f"session {session} is {shown(socket.url)}")
        for fault in socket.faults:
            notes.some("faults", f"{where}: {fault}")
        frames = [replace(frame, session=session) for frame in socket.frames]
        failed = socket.upgrade(session)
        if failed is not None:
            frames.insert(0, failed)
        if socket.is_refused:
            status = "" if failed is None else f": status {failed.code}"
            notes.some("refused", f"{where} ({shown(socket.url)}) never opened{status}")
        streams.append(frames)
    frames = list(merge(*streams, key=lambda frame: frame.t))
    urls = {socket.url for socket in sockets}
    info = SessionInfo(
        gateway_url=encodable(urls.pop()) if len(urls) == 1 else None,
        origin="pcap",
        started_at=stated_time(min(socket.started for socket in sockets)),
    )
    return Capture(info, frames, notes.counted())


def _why_none(traffic: _Traffic, url: str) -> str:
    if any(socket.is_websocket or socket.is_refused for socket in traffic.all):
        return f"no WebSocket whose URL contains {url!r}"
    if any(socket.is_tls for socket in traffic.all):
        return "TLS traffic but no plain WebSocket: packets of wss:// are encrypted, record with icws tap"
    if not traffic.all and traffic.other and not traffic.notes:
        return f"no TCP connection, only packets such as {traffic.other}: if that is a tunnel, record inside it"
    why = f" ({traffic.notes[0]})" if traffic.notes else ": start recording before the dapp connects"
    return f"no opening handshake of a WebSocket{why}"


@dataclass(slots=True)
class _Traffic:
    """The TCP connections of the file."""

    notes: Notes = field(default_factory=Notes)
    packets: int = 0
    frames: int = 0
    read: int = 0  # bytes of the packets
    size: int = 0  # bytes of the frames; compressed packets unpack to many
    all: list[TcpSocket] = field(default_factory=list)
    other: str = ""  # what the first packet without TCP is
    _open: dict[frozenset[str], TcpSocket] = field(default_factory=dict)

    def packet(self, packet: Packet) -> None:
        """The next packet of the file."""
        self.packets += 1
        self.read += len(packet.data)
        if self.is_full:
            return
        if not is_known(packet.link):
            kind = f"a link of unknown type {packet.link}: record on Ethernet or on any"
            self.notes.some("unknown links", f"a packet was recorded on {kind}")
            return
        for sender, receiver, tcp in self._segments(packet):
            self.take(packet.t, sender, receiver, tcp)

    def _segments(self, packet: Packet) -> Iterator[tuple[str, str, dpkt.tcp.TCP]]:
        """Yield (sender, receiver, TCP) for a TCP packet; nothing for other and damaged packets."""
        try:
            ip = ip_packet(packet.link, packet.data[:MAX_HEADERS])
            if not isinstance(ip, (dpkt.ip.IP, dpkt.ip6.IP6)):
                return
            if _is_fragment(ip):
                self.notes.some("fragments", "a packet is an IP fragment and left out")
                return
            if not isinstance(ip.data, dpkt.tcp.TCP):
                self.other = self.other or protocol_name(ip)
                return
            tcp = ip.data
            tcp.data = _payload(ip, tcp, packet.data)
            source, target = bytes(ip.src).hex(), bytes(ip.dst).hex()
        except _READ_ERRORS:
            return
        if packet.was_cut:
            self.notes.some("packets cut", "a packet was only partly recorded: record whole packets (tcpdump -s 0)")
        yield f"{source}:{tcp.sport}", f"{target}:{tcp.dport}", tcp

    def take(self, t: float, sender: str, receiver: str, tcp: dpkt.tcp.TCP) -> None:
        flags = tcp.flags
        syn = bool(flags & dpkt.tcp.TH_SYN)
        ack, fin = bool(flags & dpkt.tcp.TH_ACK), bool(flags & dpkt.tcp.TH_FIN)
        segment = Segment(t, tcp.seq, bytes(tcp.data), syn, ack, fin, bool(flags & dpkt.tcp.TH_RST))
        ends = frozenset((sender, receiver))
        socket = self._open.get(ends)
        if socket is None or (syn and not ack and socket.request is not None):  # the port is reused
            if len(self.all) >= MAX_CONNECTIONS:
                return
            socket = self._open[ends] = TcpSocket(sender)
            self.all.append(socket)
        frames, size = len(socket.frames), socket.size
        socket.take(sender, segment)
        self.frames += len(socket.frames) - frames
        self.size += socket.size - size
        if self.is_full:
            self.notes.append(
                f"everything after packet {self.packets} is left out: too many messages, or too large ones"
            )

    @property
    def is_full(self) -> bool:
        """Whether a limit is reached and reading stops."""
        return self.frames >= MAX_FRAMES or self.size >= min(MAX_BYTES, FREE_BYTES + MAX_RATIO * self.read)

    def sockets(self) -> list[TcpSocket]:
        for socket in self.all:
            socket.finish()
        return [socket for socket in self.all if socket.is_websocket or socket.is_refused]


def _payload(ip: Any, tcp: dpkt.tcp.TCP, packet: bytes) -> bytes:
    """Return the segment's payload; dpkt was only given the first `MAX_HEADERS` bytes of ``packet``."""
    seen = bytes(tcp.data)
    if len(packet) <= MAX_HEADERS:
        return seen
    heads = tcp.off * 4
    if isinstance(ip, dpkt.ip6.IP6):
        stated, heads = ip.plen, heads + sum(each.length for each in ip.all_extension_headers)
    else:
        stated, heads = ip.len, heads + ip.hl * 4
    size = stated - heads if stated else len(packet)  # 0 if the hardware splits the segment later
    start = MAX_HEADERS - len(seen)
    return seen if size <= len(seen) else packet[start : start + size]


def _is_fragment(ip: Any) -> bool:
    if isinstance(ip, dpkt.ip6.IP6):
        return _FRAGMENT in ip.extension_hdrs
    return bool(ip.mf or ip.offset)
