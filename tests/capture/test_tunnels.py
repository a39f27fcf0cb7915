"""Connections that were recorded inside tunnels: overlay networks, mirrored ports, providers."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from icws_explore.capture.packets import load_pcap
from icws_explore.protocol.errors import CaptureError
from support.packets import Talk, pcap

ETHERNET = bytes(12)
DOWN = bytes([0x82, 5]) + b"hello"
Wrap = Callable[[bytes], bytes]


def ip(protocol: int, payload: bytes) -> bytes:
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0)
    return ETHERNET + b"\x08\x00" + head + b"\x0a\x01\x01\x01\x0a\x01\x01\x02" + payload


def udp(port: int, payload: bytes) -> bytes:
    return ip(17, struct.pack(">HHHH", 5555, port, 8 + len(payload), 0) + payload)


def gre(flags: int, kind: int, fields: bytes, payload: bytes) -> bytes:
    return ip(47, struct.pack(">HH", flags, kind) + fields + payload)


def inner(frame: bytes) -> bytes:
    """The IP packet of an Ethernet frame."""
    return frame[14:]


def gtp(frame: bytes) -> bytes:
    return udp(2152, b"\x30\xff" + struct.pack(">HI", len(inner(frame)), 1) + inner(frame))


def gtp_numbered(frame: bytes) -> bytes:
    return udp(2152, b"\x32\xff" + struct.pack(">HI", len(inner(frame)) + 4, 1) + bytes(4) + inner(frame))


TUNNELS: dict[str, Wrap] = {
    "IP in IP": lambda frame: ip(4, inner(frame)),
    "GRE": lambda frame: gre(0, 0x0800, b"", inner(frame)),
    "GRE with key, checksum and number": lambda frame: gre(0xB000, 0x0800, bytes(12), inner(frame)),
    "GRE, bridged": lambda frame: gre(0, 0x6558, b"", frame),
    "ERSPAN I": lambda frame: gre(0, 0x88BE, b"", frame),
    "ERSPAN II": lambda frame: gre(0x1000, 0x88BE, bytes(4) + bytes(8), frame),
    "VXLAN": lambda frame: udp(4789, b"\x08" + bytes(7) + frame),
    "VXLAN at Linux' port": lambda frame: udp(8472, b"\x08" + bytes(7) + frame),
    "Geneve": lambda frame: udp(6081, b"\x00\x00\x65\x58" + bytes(4) + frame),
    "Geneve with an option": lambda frame: udp(6081, b"\x02\x00\x65\x58" + bytes(4) + bytes(8) + frame),
    "GTP": gtp,
    "GTP with a number": gtp_numbered,
    "VXLAN in GRE": lambda frame: gre(0, 0x0800, b"", inner(udp(4789, b"\x08" + bytes(7) + frame))),
}


def recorded(folder: Path, wrap: Wrap) -> Path:
    talk = Talk().opened().down(DOWN).up(bytes([0x82, 0x85]) + bytes(4) + b"world").fin("server").fin("client")
    path = folder / "tunnel.pcap"
    path.write_bytes(pcap([(t, wrap(packet)) for t, packet in talk.packets]))
    return path


@pytest.mark.parametrize("wrap", [pytest.param(wrap, id=name) for name, wrap in TUNNELS.items()])
def test_the_session_is_read(wrap: Wrap, tmp_path: Path) -> None:
    frames = load_pcap(recorded(tmp_path, wrap)).frames
    assert [frame.data for frame in frames if frame.op == "binary"] == [b"hello", b"world"]


def test_a_connection_over_ppp_is_read(tmp_path: Path) -> None:
    path = recorded(tmp_path, lambda frame: b"\xff\x03\x00\x21" + inner(frame))
    data = bytearray(path.read_bytes())
    link = 20  # where a pcap file says its type
    data[link : link + 4] = (9).to_bytes(4, "big" if data[:4] == b"\xa1\xb2\xc3\xd4" else "little")
    path.write_bytes(bytes(data))
    assert len([frame for frame in load_pcap(path).frames if frame.op == "binary"]) == 2


@pytest.mark.parametrize(
    ("wrap", "what"),
    [
        (lambda frame: udp(51_820, b"\x04\x00\x00\x00" + frame), "UDP to port 51820"),
        (lambda frame: ip(50, frame), "IP protocol 50"),
        (lambda frame: gre(0, 0x880B, b"", frame), "IP protocol 47"),
        (lambda frame: udp(6081, b"\x00\x00\x12\x34" + bytes(4) + frame), "UDP to port 6081"),
        (lambda frame: udp(2152, b"\x34\xff" + bytes(10) + frame), "UDP to port 2152"),
    ],
)
def test_what_cannot_be_read_is_named(wrap: Wrap, what: str, tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=f"only packets such as {what}: if that is a tunnel, record inside it"):
        load_pcap(recorded(tmp_path, wrap))


def test_tunnels_in_tunnels_end(tmp_path: Path) -> None:
    def deep(frame: bytes) -> bytes:
        for _ in range(20):
            frame = ip(4, inner(frame))
        return frame

    with pytest.raises(CaptureError, match="IP protocol 4"):
        load_pcap(recorded(tmp_path, deep))
