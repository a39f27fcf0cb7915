"""Captures from recorded packets: pcap and pcapng files with plain ws:// traffic.

dpkt reads the files and the packets. A wss:// session cannot be read from packets; a tap can
stand in its way instead.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from heapq import merge
from pathlib import Path
from typing import IO, Any, Final

import dpkt

from icws_explore.protocol.errors import CaptureError

from .capture import Capture
from .file import MAX_FRAMES
from .har_socket import stated_time
from .info import SessionInfo
from .tcp_socket import Segment, TcpSocket

MAGICS: Final = frozenset(
    bytes.fromhex(magic)
    for magic in ("a1b2c3d4", "d4c3b2a1", "a1b23c4d", "4d3cb2a1", "a1b2cd34", "34cdb2a1", "0a0d0d0a")
)
MAX_BLOCK: Final = 16 * 1024 * 1024  # bytes of one packet's record
MAX_CONNECTIONS: Final = 100_000
_ETHERNET, _RAW, _COOKED, _COOKED_2, _LOOPBACK = 1, (12, 14, 101), 113, 276, (0, 108)
_IPV4, _IPV6 = 228, 229
_READ_ERRORS: Final = (dpkt.Error, ValueError, ArithmeticError, LookupError, TypeError, AttributeError, EOFError)


def is_pcap(path: str | os.PathLike[str]) -> bool:
    """Whether the file begins as a packet capture does. Raises CaptureError when it cannot be read."""
    try:
        with Path(path).open("rb") as stream:
            return stream.read(4) in MAGICS
    except OSError as error:
        raise CaptureError(f"cannot read {path}: {error.strerror}") from error


def load_pcap(path: str | os.PathLike[str], *, url: str = "") -> Capture:
    """Every WebSocket in a packet capture whose URL holds ``url``, its frames in the order of time.

    What could not be read is said in ``capture.notes``. Raises CaptureError when the file is none,
    or holds no such WebSocket.
    """
    path = Path(path)
    traffic = _Traffic()
    try:
        with path.open("rb") as stream:
            _read(stream, path, traffic)
    except OSError as error:
        raise CaptureError(f"cannot read {path}: {error.strerror}") from error
    sockets = [socket for socket in traffic.sockets() if url in socket.url]
    if not sockets:
        raise CaptureError(f"{path} holds {_why_none(traffic, url)}")
    return _capture(sockets, traffic.notes)


def _capture(sockets: list[TcpSocket], notes: list[str]) -> Capture:
    several = len(sockets) > 1
    streams = []
    for number, socket in enumerate(sockets, 1):
        session = str(number) if several else None
        where = f"session {session}" if several else "the session"
        if several:
            notes.append(f"session {session} is {socket.url}")
        notes += [f"{where}: {fault}" for fault in socket.faults]
        streams.append([replace(frame, session=session) for frame in socket.frames])
    frames = list(merge(*streams, key=lambda frame: frame.t))
    if len(frames) > MAX_FRAMES:
        notes.append(f"what follows frame {MAX_FRAMES} is left out")
    urls = {socket.url for socket in sockets}
    info = SessionInfo(
        gateway_url=urls.pop() if len(urls) == 1 else None,
        origin="pcap",
        started_at=stated_time(min(socket.started for socket in sockets)),
    )
    return Capture(info, frames[:MAX_FRAMES], notes)


def _why_none(traffic: _Traffic, url: str) -> str:
    if any(socket.is_websocket for socket in traffic.all):
        return f"no WebSocket whose URL holds {url!r}"
    if any(socket.is_tls for socket in traffic.all):
        return "TLS traffic and no plain WebSocket: packets of wss:// cannot be read, record with icws tap"
    detail = f" ({traffic.notes[-1]})" if traffic.notes else ""
    return f"no WebSocket from its opening handshake on{detail}"


@dataclass(slots=True)
class _Traffic:
    """The TCP connections of the file."""

    notes: list[str] = field(default_factory=list)
    all: list[TcpSocket] = field(default_factory=list)
    _open: dict[frozenset[str], TcpSocket] = field(default_factory=dict)

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
        socket.take(sender, segment)

    def sockets(self) -> list[TcpSocket]:
        for socket in self.all:
            socket.finish()
        return [socket for socket in self.all if socket.is_websocket]


class _Bounded:
    """A file that is never read by more than a packet: lengths in the file are not to be trusted."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.name = "packets"

    def read(self, size: int) -> bytes:
        if not 0 <= size <= MAX_BLOCK:
            raise ValueError(f"a block of {size} bytes")
        return self._stream.read(size)

    def seek(self, offset: int) -> int:
        return self._stream.seek(offset)


def _read(stream: IO[bytes], path: Path, traffic: _Traffic) -> None:
    try:
        reader: Any = dpkt.pcap.UniversalReader(_Bounded(stream))
        link = int(reader.datalink())
    except _READ_ERRORS as error:
        raise CaptureError(f"{path} is no packet capture ({_line(error)})") from error
    if not _is_known(link):
        raise CaptureError(
            f"{path} was recorded on a link of type {link}, which is not known here: use Ethernet or any"
        )
    packets = iter(reader)
    number = 0
    while True:
        try:
            stamp, raw = next(packets)
        except StopIteration:
            return
        except _READ_ERRORS as error:
            traffic.notes.append(
                f"the file is torn or damaged after packet {number} ({_line(error)}); the rest is left out"
            )
            return
        number += 1
        for sender, receiver, tcp in _segments(link, raw):
            traffic.take(float(stamp), sender, receiver, tcp)


def _is_known(link: int) -> bool:
    return link in (_ETHERNET, _COOKED, _COOKED_2, _IPV4, _IPV6, *_RAW, *_LOOPBACK)


def _segments(link: int, raw: bytes) -> Iterator[tuple[str, str, dpkt.tcp.TCP]]:
    """(sender, receiver, TCP) of a packet; nothing for any other packet, or one that is damaged."""
    try:
        ip = _ip(link, raw)
        if not isinstance(ip, (dpkt.ip.IP, dpkt.ip6.IP6)) or not isinstance(ip.data, dpkt.tcp.TCP):
            return
        tcp = ip.data
        source, target = bytes(ip.src).hex(), bytes(ip.dst).hex()
        yield f"{source}:{tcp.sport}", f"{target}:{tcp.dport}", tcp
    except _READ_ERRORS:
        return


def _ip(link: int, raw: bytes) -> Any:
    if link == _ETHERNET:
        return dpkt.ethernet.Ethernet(raw).data
    if link == _COOKED:
        return dpkt.sll.SLL(raw).data
    if link == _COOKED_2:
        return dpkt.sll2.SLL2(raw).data
    packet = raw[4:] if link in _LOOPBACK else raw
    return dpkt.ip6.IP6(packet) if packet[:1] and packet[0] >> 4 == 6 else dpkt.ip.IP(packet)


def _line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 100 else text[:99] + "…"
