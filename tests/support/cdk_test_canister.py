"""The test canister of the CDKs' repositories, from which the traces were recorded."""

from __future__ import annotations

from typing import Any

from icws_explore.protocol.arguments import encode_result
from icws_explore.protocol.candid import BLOB, PRINCIPAL, Vec, decode
from icws_explore.protocol.canister import CdkConfig, Handlers, MethodNotFound, SystemApi, WebSocketCdk
from icws_explore.protocol.principal import Principal


class CdkTestCanister:
    """A CanisterCode with the four ws_ methods and handlers that print; every caller may also `send` and `close`."""

    candid_interface = ""

    def __init__(self, system: SystemApi, config: CdkConfig) -> None:
        handlers = Handlers(
            on_open=lambda client: system.print(f"Opened websocket: {client}"),
            on_message=lambda client, _: system.print(f"Received message: {client}"),
            on_close=lambda client: system.print(f"Client {client} disconnected"),
        )
        self.cdk = WebSocketCdk(system, handlers, config)

    def init(self) -> None:
        self.cdk.init()

    def update(self, method: str, arg: bytes) -> bytes:
        entry = {
            "ws_open": self.cdk.ws_open,
            "ws_message": self.cdk.ws_message,
            "ws_close": self.cdk.ws_close,
            "send": self._send,
            "close": self._close,
        }.get(method)
        if entry is None:
            raise MethodNotFound("update", method)
        return entry(arg)

    def query(self, method: str, arg: bytes) -> bytes:
        if method != "ws_get_messages":
            raise MethodNotFound("query", method)
        return self.cdk.ws_get_messages(arg)

    def snapshot(self) -> Any:
        return self.cdk.snapshot()

    def restore(self, state: Any) -> None:
        self.cdk.restore(state)

    def _send(self, arg: bytes) -> bytes:
        client, contents = decode(arg, [PRINCIPAL, Vec(BLOB)])
        for content in contents:
            error = self.cdk.send(client, content)
            if error is not None:
                return encode_result(error)
        return encode_result(None)

    def _close(self, arg: bytes) -> bytes:
        (client,) = decode(arg, [PRINCIPAL])
        assert isinstance(client, Principal)
        return encode_result(self.cdk.close(client))
