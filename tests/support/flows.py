"""Writes flow files of mitmproxy: values in its dialect of tnetstrings, and flows of HTTP and WebSockets."""

from __future__ import annotations

from typing import Any

AT_S = 1_700_000_000.0


def value(of: Any) -> bytes:
    """A value as mitmproxy writes it."""
    match of:
        case None:
            return b"0:~"
        case bool():
            return _whole(b"true" if of else b"false", b"!")
        case int():
            return _whole(str(of).encode(), b"#")
        case float():
            return _whole(repr(of).encode(), b"^")
        case bytes():
            return _whole(of, b",")
        case str():
            return _whole(of.encode(), b";")
        case list() | tuple():
            return _whole(b"".join(map(value, of)), b"]")
        case dict():
            return _whole(b"".join(value(name) + value(each) for name, each in of.items()), b"}")
    raise TypeError(type(of))


def _whole(data: bytes, kind: bytes) -> bytes:
    return b"%d:%s%s" % (len(data), data, kind)


def request(path: str = "/", **more: Any) -> dict[str, Any]:
    return {
        "path": path.encode(), "scheme": b"http", "method": b"POST", "port": 80, "host": "gateway.example",
        "timestamp_start": AT_S, "content": b"", "headers": [], **more,
    }  # fmt: skip


def answer(status: int = 200, **more: Any) -> dict[str, Any]:
    given = {"status_code": status, "timestamp_start": AT_S + 0.1, "timestamp_end": AT_S + 0.2, "content": b"ok"}
    return {"headers": [], **given, **more}


def http(path: str = "/api/v2/status", *, asked: Any = None, answered: Any = None, **more: Any) -> dict[str, Any]:
    """A flow of HTTP; ``asked`` and ``answered`` change fields of its two sides."""
    sides = {"request": request(path, **(asked or {})), "response": answer(**(answered or {}))}
    return {"type": "http", "websocket": None, "error": None, **sides, **more}


def message(data: bytes, *, up: bool = False, t: float = AT_S + 1, kind: int = 2, **more: bool) -> list[Any]:
    return [kind, up, data, t, more.get("dropped", False), more.get("injected", False)]


def websocket(*messages: list[Any], path: str = "/", asked: Any = None, **more: Any) -> dict[str, Any]:
    """A flow of a WebSocket that its client closed with 1000."""
    closed = {"closed_by_client": True, "close_code": 1000, "close_reason": "bye", "timestamp_end": AT_S + 9, **more}
    flow = http(path, asked=UPGRADE | {"method": b"GET"} | (asked or {}), answered={"status": 101})
    return {**flow, "websocket": {"messages": list(messages), **closed}}


UPGRADE = {"headers": [[b"Upgrade", b"websocket"]]}
