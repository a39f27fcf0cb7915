"""Captures from recorded packets: pcap and pcapng files with plain ws:// traffic.

dpkt reads the files and the packets. A wss:// session cannot be read from packets; a tap can
stand in its way instead.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from heapq import merge
from pathlib import Path
from typing import Any, Final

import dpkt

from icws_explore.protocol.errors import CaptureError

from .capture import Capture
from .files import PCAP_MAGICS, START, FileKind, kind_of, open_file, unreadable
from .frame import encodable
from .har_socket import stated_time
from .icws_file import MAX_FRAMES
from .info import SessionInfo
from .notes import Notes, shown
from .packet_file import Packet, read_packets
from .tcp import Segment, TcpSocket

MAX_CONNECTIONS: Final = 100_000
MAX_BYTES: Final = 512 * 1024 * 1024  # of all messages
MAX_HEADERS: Final = 2048  # bytes in front of a segment's payload; nested ones would cost the square of a packet
_ETHERNET, _RAW, _COOKED, _COOKED_2, _LOOPBACK = 1, (12, 14, 101), 113, 276, (0, 108)
_IPV4, _IPV6 = 228, 229
_FRAGMENT: Final = 44  # the extension header of an IPv6 packet that is one
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
    """Whether the file begins as a packet capture does. Raises CaptureError when it cannot be read."""
    with open_file(Path(path)) as stream:
        return stream.peek(4)[:4] in PCAP_MAGICS


def load_pcap(path: str | os.PathLike[str], *, url: str = "") -> Capture:
    """Every WebSocket in a packet capture whose URL holds ``url``, its frames in the order of time.

    What could not be read is said in ``capture.notes``. Raises CaptureError when the file is none,
    or holds no such WebSocket.
    """
    path = Path(path)
    traffic = _Traffic()
    with open_file(path) as stream:
        kind = kind_of(stream.peek(START)[:START])
        if kind is not FileKind.PCAP:
            raise CaptureError(f"{path} is no packet capture, it is {kind}")
        try:
            for packet in read_packets(stream, traffic.notes):
                traffic.packet(packet)
        except OSError as error:
            if not traffic.packets:
                raise unreadable(path, error) from error
            traffic.notes.append(f"the file could not be read to its end ({error.strerror}); what came before is kept")
    if not traffic.packets:
        why = f" ({traffic.notes[0]})" if traffic.notes else ""
        raise CaptureError(f"{path} is a packet capture without packets{why}")
    sockets = [socket for socket in traffic.sockets() if url in socket.url]
    if not sockets:
        raise CaptureError(f"{path} holds {_why_none(traffic, url)}")
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
        streams.append([replace(frame, session=session) for frame in socket.frames])
    frames = list(merge(*streams, key=lambda frame: frame.t))
    urls = {socket.url for socket in sockets}
    info = SessionInfo(
        gateway_url=encodable(urls.pop()) if len(urls) == 1 else None,
        origin="pcap",
        started_at=stated_time(min(socket.started for socket in sockets)),
    )
    return Capture(info, frames, notes.counted())


def _why_none(traffic: _Traffic, url: str) -> str:
    if any(socket.is_websocket for socket in traffic.all):
        return f"no WebSocket whose URL holds {url!r}"
    if any(socket.is_tls for socket in traffic.all):
        return "TLS traffic and no plain WebSocket: packets of wss:// cannot be read, record with icws tap"
    why = f" ({traffic.notes[0]})" if traffic.notes else ": record from before the dapp connects on"
    return f"no WebSocket from its opening handshake on{why}"


@dataclass(slots=True)
class _Traffic:
    """The TCP connections of the file."""

    notes: Notes = field(default_factory=Notes)
    packets: int = 0
    frames: int = 0
    size: int = 0  # bytes of the frames, which compressed ones make many of
    all: list[TcpSocket] = field(default_factory=list)
    _open: dict[frozenset[str], TcpSocket] = field(default_factory=dict)

    def packet(self, packet: Packet) -> None:
        """The next packet of the file."""
        self.packets += 1
        if self.is_full:
            return
        if not _is_known(packet.link):
            kind = f"a link of type {packet.link}, which is not known here: use Ethernet or any"
            self.notes.some("unknown links", f"a packet was recorded on {kind}")
            return
        for sender, receiver, tcp in self._segments(packet):
            self.take(packet.t, sender, receiver, tcp)

    def _segments(self, packet: Packet) -> Iterator[tuple[str, str, dpkt.tcp.TCP]]:
        """(sender, receiver, TCP) of a packet; nothing for any other packet, or one that is damaged."""
        try:
            ip = _ip(packet.link, packet.data[:MAX_HEADERS])
            if not isinstance(ip, (dpkt.ip.IP, dpkt.ip6.IP6)):
                return
            if _is_fragment(ip):
                self.notes.some("fragments", "a packet is a fragment of another one, and left out")
                return
            if not isinstance(ip.data, dpkt.tcp.TCP):
                return
            tcp = ip.data
            tcp.data = _payload(ip, tcp, packet.data)
            source, target = bytes(ip.src).hex(), bytes(ip.dst).hex()
        except _READ_ERRORS:
            return
        if packet.was_cut:
            self.notes.some("packets cut", "a packet was recorded in part: record whole ones (tcpdump -s 0)")
        yield f"{source}:{tcp.sport}", f"{target}:{tcp.dport}", tcp

    def take(self, t: float, sender: str, receiver: str, tcp: dpkt.tcp.TCP) -> None:
        flags = tcp.flags
        syn = bool(flags & dpkt.tcp.TH_SYN)
        ack, fin = bool(flags & dpkt.tcp.TH_ACK), bool(flags & dpkt.tcp.TH_FIN)
        segment = Segment(t, tcp.seq, bytes(tcp.data), syn, ack, fin, bool(flags & dpkt.tcp.TH_RST))
        ends = frozenset((sender, receiver))
        socket = self._open.get(ends)
        if socket is None or (syn and not ack and socket.request is not None):  # the port is used again
            if len(self.all) >= MAX_CONNECTIONS:
                return
            socket = self._open[ends] = TcpSocket(sender)
            self.all.append(socket)
        frames, size = len(socket.frames), socket.size
        socket.take(sender, segment)
        self.frames += len(socket.frames) - frames
        self.size += socket.size - size
        if self.is_full:
            self.notes.append(f"what follows packet {self.packets} is left out: too many messages, or too large ones")

    @property
    def is_full(self) -> bool:
        """Whether no more is read."""
        return self.frames >= MAX_FRAMES or self.size >= MAX_BYTES

    def sockets(self) -> list[TcpSocket]:
        for socket in self.all:
            socket.finish()
        return [socket for socket in self.all if socket.is_websocket]


def _is_known(link: int) -> bool:
    return link in (_ETHERNET, _COOKED, _COOKED_2, _IPV4, _IPV6, *_RAW, *_LOOPBACK)


def _payload(ip: Any, tcp: dpkt.tcp.TCP, packet: bytes) -> bytes:
    """What the segment holds, where only the first bytes of ``packet`` have been read."""
    seen = bytes(tcp.data)
    if len(packet) <= MAX_HEADERS:
        return seen
    heads = tcp.off * 4
    if isinstance(ip, dpkt.ip6.IP6):
        stated, heads = ip.plen, heads + sum(each.length for each in ip.all_extension_headers)
    else:
        stated, heads = ip.len, heads + ip.hl * 4
    size = stated - heads if stated else len(packet)  # not stated by those that leave the cutting to the hardware
    start = MAX_HEADERS - len(seen)
    return seen if size <= len(seen) else packet[start : start + size]


def _is_fragment(ip: Any) -> bool:
    if isinstance(ip, dpkt.ip6.IP6):
        return _FRAGMENT in ip.extension_hdrs
    return bool(ip.mf or ip.offset)


def _ip(link: int, raw: bytes) -> Any:
    if link == _ETHERNET:
        return dpkt.ethernet.Ethernet(raw).data
    if link == _COOKED:
        return dpkt.sll.SLL(raw).data
    if link == _COOKED_2:
        return dpkt.sll2.SLL2(raw).data
    packet = raw[4:] if link in _LOOPBACK else raw
    return dpkt.ip6.IP6(packet) if packet[:1] and packet[0] >> 4 == 6 else dpkt.ip.IP(packet)
