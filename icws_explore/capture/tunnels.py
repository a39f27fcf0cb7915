"""The IP packet of a TCP connection in what was recorded on a link, taken out of the tunnels that it is in.

Overlay networks of containers (VXLAN, Geneve), mirrored ports (VXLAN, ERSPAN), routers and providers (GRE, IP in IP,
PPPoE, GTP) wrap each packet in another one. What is recorded on the outer network holds the dapp's connection inside.
dpkt parses the headers of links and of IP; the tunnels' own headers are read here. An encrypted tunnel (WireGuard,
IPsec) cannot be read. Sources: RFC 2003, 2784, 2890, 4213, 7348, 8926; 3GPP TS 29.281.
"""

from __future__ import annotations

from typing import Any, Final

import dpkt

MAX_DEPTH: Final = 4  # tunnels in tunnels

_ETHERNET, _RAW, _COOKED, _COOKED_2, _LOOPBACK, _PPP = 1, (12, 14, 101), 113, 276, (0, 108), 9
_IPV4, _IPV6 = 228, 229
_VXLAN_PORTS: Final = (4789, 8472)  # RFC 7348; Linux' own default, which flannel uses
_GENEVE_PORT, _GTP_PORT = 6081, 2152
_IP_IN_IP, _IP6_IN_IP, _GRE = 4, 41, 47  # protocols of IP
_BRIDGED, _ERSPAN = 0x6558, 0x88BE  # types of what is in a tunnel, beside Ethernet's own
_PPP_HEAD: Final = b"\xff\x03"
_PPP_IP: Final = (b"\x00\x21", b"\x00\x57")


def is_known(link: int) -> bool:
    """Whether packets of that link type can be read."""
    return link in (_ETHERNET, _COOKED, _COOKED_2, _IPV4, _IPV6, _PPP, *_RAW, *_LOOPBACK)


def ip_packet(link: int, raw: bytes) -> Any:
    """The innermost IP packet, or what is there instead. Raises what dpkt raises for damaged headers."""
    ip = _of_link(link, raw)
    for _ in range(MAX_DEPTH):
        inner = _inner(ip)
        if inner is None:
            break
        ip = inner
    return ip


def protocol_name(ip: Any) -> str:
    """What an IP packet without TCP holds, in words."""
    data = ip.data
    if isinstance(data, dpkt.udp.UDP):
        return f"UDP to port {data.dport}"
    return f"IP protocol {ip.nxt if isinstance(ip, dpkt.ip6.IP6) else ip.p}"


def _of_link(link: int, raw: bytes) -> Any:
    if link == _ETHERNET:
        ip = dpkt.ethernet.Ethernet(raw).data
        return getattr(ip.data, "data", ip.data) if isinstance(ip, dpkt.pppoe.PPPoE) else ip
    if link == _COOKED:
        return dpkt.sll.SLL(raw).data
    if link == _COOKED_2:
        return dpkt.sll2.SLL2(raw).data
    if link == _PPP:
        raw = raw.removeprefix(_PPP_HEAD)
        return _ip(raw[2:]) if raw[:2] in _PPP_IP else None
    return _ip(raw[4:] if link in _LOOPBACK else raw)


def _ip(packet: bytes) -> Any:
    return dpkt.ip6.IP6(packet) if packet[:1] and packet[0] >> 4 == 6 else dpkt.ip.IP(packet)


def _inner(ip: Any) -> Any:
    """What is in the tunnel that an IP packet belongs to; None if it belongs to none."""
    if not isinstance(ip, (dpkt.ip.IP, dpkt.ip6.IP6)):
        return None
    protocol = ip.nxt if isinstance(ip, dpkt.ip6.IP6) else ip.p
    data = ip.data
    if isinstance(data, dpkt.udp.UDP):
        return _in_udp(data.dport, bytes(data.data))
    if protocol in (_IP_IN_IP, _IP6_IN_IP):
        return data if isinstance(data, (dpkt.ip.IP, dpkt.ip6.IP6)) else _ip(bytes(data))
    if protocol == _GRE:
        return _in_gre(bytes(data))
    return None


def _in_udp(port: int, data: bytes) -> Any:
    if port in _VXLAN_PORTS and len(data) > 8:
        return _of_link(_ETHERNET, data[8:])
    if port == _GENEVE_PORT and len(data) > 8:
        return _of_type(int.from_bytes(data[2:4]), data[8 + 4 * (data[0] & 0x3F) :])
    if port == _GTP_PORT and len(data) > 12 and data[1] == 0xFF:
        extended = data[0] & 0x07  # sequence number, extension headers
        return _ip(data[12:] if extended else data[8:]) if not data[0] & 0x04 else None
    return None


def _in_gre(data: bytes) -> Any:
    flags, kind = int.from_bytes(data[:2]), int.from_bytes(data[2:4])
    sequence = bool(flags & 0x1000)
    inner = data[4 + 4 * (bool(flags & 0x8000) + bool(flags & 0x2000) + sequence) :]
    if kind == _ERSPAN:  # the first type has neither a sequence number nor a header of its own
        return _of_link(_ETHERNET, inner[8:] if sequence else inner)
    return _of_type(kind, inner)


def _of_type(kind: int, data: bytes) -> Any:
    if kind == _BRIDGED:
        return _of_link(_ETHERNET, data)
    return _ip(data) if kind in (dpkt.ethernet.ETH_TYPE_IP, dpkt.ethernet.ETH_TYPE_IP6) else None
