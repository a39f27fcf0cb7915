"""Packet captures made up by the test: a conversation over TCP, as segments that can be shuffled."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, field

import dpkt
from dpkt.tcp import TH_ACK, TH_FIN, TH_RST, TH_SYN

CLIENT, SERVER = (b"\x0a\x00\x00\x01", 40_000), (b"\x0a\x00\x00\x02", 8080)
UPGRADE = (
    b"GET /path?q=1 HTTP/1.1\r\nHost: gw.example:8080\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


@dataclass
class Talk:
    """One TCP connection; each step is a packet one second after the one before (``t``, Ethernet frame)."""

    client: tuple[bytes, int] = CLIENT
    server: tuple[bytes, int] = SERVER
    start: float = 1_700_000_000.0
    client_sequence: int = 2**32 - 20  # wraps soon
    server_sequence: int = 7
    link: str = "ethernet"
    packets: list[tuple[float, bytes]] = field(default_factory=list)

    def opened(self, answer: bytes = SWITCHED, asked: bytes = UPGRADE) -> Talk:
        self._add("client", TH_SYN)
        self._add("server", TH_SYN | TH_ACK)
        self.client_sequence += 1
        self.server_sequence += 1
        return self.up(asked).down(answer)

    def up(self, data: bytes, flags: int = TH_ACK) -> Talk:
        return self._say("client", data, flags)

    def down(self, data: bytes, flags: int = TH_ACK) -> Talk:
        return self._say("server", data, flags)

    def fin(self, who: str) -> Talk:
        return self._say(who, b"", TH_FIN | TH_ACK)

    def rst(self, who: str) -> Talk:
        return self._say(who, b"", TH_RST)

    def _say(self, who: str, data: bytes, flags: int) -> Talk:
        self._add(who, flags, data)
        if who == "client":
            self.client_sequence += len(data) + bool(flags & TH_FIN)
        else:
            self.server_sequence += len(data) + bool(flags & TH_FIN)
        return self

    def _add(self, who: str, flags: int, data: bytes = b"") -> None:
        source, target = (self.client, self.server) if who == "client" else (self.server, self.client)
        sequence = self.client_sequence if who == "client" else self.server_sequence
        tcp = dpkt.tcp.TCP(sport=source[1], dport=target[1], seq=sequence % 2**32, flags=flags, data=data)
        self.packets.append((self.start + len(self.packets), self._packet(source[0], target[0], tcp)))

    def _packet(self, source: bytes, target: bytes, tcp: dpkt.tcp.TCP) -> bytes:
        if len(source) == 16:
            ip = dpkt.ip6.IP6(src=source, dst=target, nxt=6, hlim=64, plen=len(tcp), data=tcp)
            ip.extension_hdrs = {}
            kind = 0x86DD
        else:
            ip = dpkt.ip.IP(src=source, dst=target, p=6, data=tcp, len=20 + len(tcp))
            kind = 0x0800
        raw = bytes(ip)
        match self.link:
            case "raw":
                return raw
            case "loopback":
                return b"\x02\x00\x00\x00" + raw
            case "cooked":
                return bytes(14) + kind.to_bytes(2) + raw
            case "cooked 2":
                return kind.to_bytes(2) + bytes(18) + raw
        frame = bytes(12) + kind.to_bytes(2) + raw
        return frame.ljust(60, b"\0")  # Ethernet's padding is no data


LINKS = {"ethernet": 1, "raw": 101, "loopback": 0, "cooked": 113, "cooked 2": 276}


def pcap(packets: Iterable[tuple[float, bytes]], *, link: str = "ethernet", nano: bool = False) -> bytes:
    """A pcap file, in the order given."""
    out = io.BytesIO()
    writer = dpkt.pcap.Writer(out, linktype=LINKS[link], nano=nano)
    for t, packet in packets:
        writer.writepkt(packet, ts=t)
    return out.getvalue()


def pcapng(packets: Iterable[tuple[float, bytes]], *, link: str = "ethernet") -> bytes:
    """The same as pcapng."""
    out = io.BytesIO()
    description = dpkt.pcapng.InterfaceDescriptionBlockLE(linktype=LINKS[link])
    writer = dpkt.pcapng.Writer(out, idb=description)
    for t, packet in packets:
        writer.writepkt(packet, ts=t)
    return out.getvalue()
