"""The canister from which tests/vectors/rust_cdk_traces.json was recorded, on this package's CDK.

The text of a message is a command to on_message; `mode` sets what on_open and on_close also do.
"""

from __future__ import annotations

from typing import Any

from icws_explore.protocol.arguments import encode_result
from icws_explore.protocol.candid import BLOB, PRINCIPAL, TEXT, Opt, decode, encode, parse_type
from icws_explore.protocol.canister import CdkConfig, Handlers, MethodNotFound, SystemApi, Trap, WebSocketCdk
from icws_explore.protocol.principal import Principal

MESSAGE = parse_type("record { text : text; timestamp : nat64 }")


class RustTraceCanister:
    """A CanisterCode with the four ws_ methods; every caller may also use `send_raw`, `close_app` and `mode`."""

    candid_interface = ""

    def __init__(self, system: SystemApi, setup: dict[str, Any]) -> None:
        self.system = system
        self.mode: dict[str, Any] = {"greet": setup["greet"]}
        handlers = Handlers(self._on_open, self._on_message, self._on_close) if setup["handlers"] else Handlers()
        config = CdkConfig(max_messages=setup["max"], send_ack_interval_ms=setup["ack_ms"], forget_init=setup["forget"])
        self.cdk = WebSocketCdk(system, handlers, config)

    def init(self) -> None:
        self.cdk.init()

    def update(self, method: str, arg: bytes) -> bytes:
        if method in ("ws_open", "ws_message", "ws_close"):
            return bytes(getattr(self.cdk, method)(arg))
        if method == "send_raw":
            client, content = decode(arg, [PRINCIPAL, BLOB])
            return encode_result(self.cdk.send(client, content))
        if method == "close_app":
            return encode_result(self.cdk.close(decode(arg, [PRINCIPAL])[0]))
        if method == "mode":
            which, who = decode(arg, [TEXT, Opt(PRINCIPAL)])
            self.mode = {} if which == "none" else self.mode | {which: True if who is None else who}
            return encode([], [])
        raise MethodNotFound("update", method)

    def query(self, method: str, arg: bytes) -> bytes:
        if method != "ws_get_messages":
            raise MethodNotFound("query", method)
        return self.cdk.ws_get_messages(arg)

    def snapshot(self) -> Any:
        return self.cdk.snapshot(), dict(self.mode)

    def restore(self, state: Any) -> None:
        self.cdk.restore(state[0])
        self.mode = dict(state[1])

    def _say(self, client: Principal, text: str) -> str | None:
        return self.cdk.send(client, encode([MESSAGE], [{"text": text, "timestamp": self.system.time_ns()}]))

    def _print_result(self, error: str | None, before: str = "") -> None:
        self.system.print(before + ("Ok(())" if error is None else f'Err("{error}")'))

    def _on_open(self, client: Principal) -> None:
        if self.mode.get("greet"):
            self._say(client, "ping")
        if self.mode.get("trap_open"):
            raise Trap("on_open says no")

    def _on_message(self, client: Principal, content: bytes) -> None:
        command, _, rest = decode(content, [MESSAGE])[0]["text"].partition(" ")
        match command:
            case "echo":
                self._say(client, rest)
            case "burst":
                for number in range(int(rest)):
                    self._say(client, str(number))
            case "trap":
                self._say(client, "lost")
                raise Trap(rest)
            case "close":
                self.cdk.close(client)
                self._print_result(self._say(client, "x"), "after close: ")
            case "closeother":
                self._print_result(self.cdk.close(Principal.from_text(rest)))
            case "sendother":
                self._print_result(self._say(Principal.from_text(rest), "hi"))
            case "certify":
                self.system.set_certified_data(rest.encode())
            case _:
                self.system.print(f"got {command}")

    def _on_close(self, client: Principal) -> None:
        self.system.print(f"closed {client}")
        if self.mode.get("send_in_close"):
            self._print_result(self._say(client, "bye"))
        if "reclose" in self.mode:
            self._print_result(self.cdk.close(self.mode["reclose"]))
        if self.mode.get("trap_close"):
            raise Trap("on_close says no")
