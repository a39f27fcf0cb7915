"""A recording as packets, as a sniffer beside the gateway would have written them: plain ws:// over TCP, in pcapng.

Each frame is one masked or unmasked WebSocket frame in TCP segments, at its recorded time. Addresses are made up. It is
sample data for `icws import`, and for exercises with a packet sniffer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import dpkt
from dpkt.tcp import TH_ACK, TH_SYN

from icws_explore.capture import Capture, Frame

CLIENT: Final = (b"\x0a\x00\x00\x01", 40_000)
GATEWAY: Final = (b"\x0a\x00\x00\x02", 8080)
_ETHERNET: Final = 1
_SEGMENT: Final = 1400  # bytes
_OPCODES: Final = {"text": 1, "binary": 2, "close": 8, "ping": 9, "pong": 10}
_UPGRADE: Final = (
    b"GET / HTTP/1.1\r\nHost: 10.0.0.2:8080\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_SWITCHED: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


def save_packets(capture: Capture, path: Path) -> Path:
    """Write a capture of one session as pcapng, without the connection's end."""
    with path.open("wb") as file:
        writer = dpkt.pcapng.Writer(file, idb=dpkt.pcapng.InterfaceDescriptionBlockLE(linktype=_ETHERNET))
        numbers = {"out": 1_000, "in": 5_000}

        def say(direction: str, at: float, data: bytes, flags: int = TH_ACK) -> None:
            source, target = (CLIENT, GATEWAY) if direction == "out" else (GATEWAY, CLIENT)
            other = "in" if direction == "out" else "out"
            for start in range(0, max(1, len(data)), _SEGMENT):
                part = data[start : start + _SEGMENT]
                tcp = dpkt.tcp.TCP(
                    sport=source[1], dport=target[1], seq=numbers[direction], ack=numbers[other], flags=flags, data=part
                )
                ip = dpkt.ip.IP(src=source[0], dst=target[0], p=6, data=tcp, len=20 + len(tcp))
                writer.writepkt(bytes(12) + b"\x08\x00" + bytes(ip), ts=at)
                numbers[direction] += len(part)

        begin = capture.frames[0].t - 0.05
        for direction, flags in (("out", TH_SYN), ("in", TH_SYN | TH_ACK)):
            say(direction, begin, b"", flags)
            numbers[direction] += 1
        say("out", begin + 0.01, _UPGRADE)
        say("in", begin + 0.02, _SWITCHED)
        for frame in capture.frames:
            if frame.op in _OPCODES and frame.code != 1006:
                say(frame.direction, frame.t, websocket_frame(frame))
    return path


def websocket_frame(frame: Frame) -> bytes:
    """A frame as RFC 6455 (section 5.2) puts it on the wire. A client's frame is masked, with a key of zeros."""
    payload = frame.data
    if frame.op == "close" and frame.code not in (None, 1005):
        payload = frame.code.to_bytes(2, "big") + (frame.reason or "").encode()
    masked = 0x80 if frame.direction == "out" else 0
    size = len(payload)
    head = bytes([0x80 | _OPCODES[frame.op]])
    if size < 126:
        head += bytes([masked | size])
    elif size < 2**16:
        head += bytes([masked | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([masked | 127]) + size.to_bytes(8, "big")
    return head + (bytes(4) if masked else b"") + payload
