"""Clients that are not as ic-websocket-js 0.5.0 is: its earlier versions, and clients of somebody's own making.

Each is a `ClientMachine` and goes wherever one goes: a plan, the lab, the simulator. Those that are
odd in when they do things are in odd_timing. Versions are tags of omnia-network/ic-websocket-sdk-js.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final

from icws_explore.protocol.arguments import decode_open_args, encode_open_args
from icws_explore.protocol.candid import label_hash
from icws_explore.protocol.client.client_session import ClientSession
from icws_explore.protocol.client.events import SendFrame
from icws_explore.protocol.client.machine import ClientConfig, ClientMachine
from icws_explore.protocol.client.table import ClientState, ClientTrigger
from icws_explore.protocol.client.wire import Happening, Verifier
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.envelope import Envelope, sign_envelope
from icws_explore.protocol.keys import Identity
from icws_explore.protocol.messages import CanisterMessage
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import Step

ANOTHER_GATEWAY: Final = Principal.self_authenticating(b"the key that a gateway had before")
RAW_DELTA_MS: Final = 300_000  # DEFAULT_INGRESS_EXPIRY_DELTA_IN_MSECS
_CLOSE_MESSAGE: Final = f"Cannot find field hash _{label_hash('CloseMessage')}_"
_NOT_INCOMING: Final = "[onWsMessage] Incoming message is not a ClientIncomingMessage, ignoring message"


class SignsInItsWay(ClientMachine):
    """What goes out is what ``envelope`` makes of a request's content."""

    def __init__(self, config: ClientConfig, identity: Identity, **given: Any) -> None:
        super().__init__(config, identity, sign=self.envelope, **given)

    def envelope(self, content: Mapping[str, Any], identity: Identity) -> Envelope:
        return sign_envelope(content, identity)


class AgentV3(SignsInItsWay):
    """ic-websocket-js with @dfinity/agent 3: ``new Expiry(delta)`` keeps the duration, and that is sent as the time.

    It comes that far where the WebSocket gives Uint8Arrays (a polyfill's); else see `AgentV3Unread`.
    Source: ic-websocket-js agent/index.ts; @dfinity/agent 3 transforms.ts, where Expiry.fromDeltaInMilliseconds
    took over what the constructor did.
    """

    def envelope(self, content: Mapping[str, Any], identity: Identity) -> Envelope:
        return sign_envelope({**content, "ingress_expiry": RAW_DELTA_MS}, identity)


class AgentV3Unread(ClientMachine):
    """The same in a browser or in Node: agent 3 reads no ArrayBuffer, and the SDK hands it every frame as one.

    Source: @dfinity/agent 3 cbor.ts; the words are those of 3.4.3.
    """

    def _receive(self, data: bytes, now_ns: int) -> None:
        del data
        text = "Error receiving message: Error: Uint8Array expected"
        self._fire(Happening(ClientTrigger.BAD_FRAME, now_ns, text=text))


class RenewsTheExpiry(SignsInItsWay):
    """A client of somebody's own that puts off a request's expiry by a minute, and keeps the signature it had."""

    def envelope(self, content: Mapping[str, Any], identity: Identity) -> Envelope:
        signed = sign_envelope(content, identity)
        return replace(signed, content={**content, "ingress_expiry": content["ingress_expiry"] + 60 * NS_PER_S})


class NamesAnotherGateway(SignsInItsWay):
    """A client of somebody's own with the gateway's principal in its configuration, instead of the handshake's."""

    def envelope(self, content: Mapping[str, Any], identity: Identity) -> Envelope:
        if content["method_name"] == "ws_open":
            nonce = decode_open_args(content["arg"]).client_nonce
            content = {**content, "arg": encode_open_args(nonce, ANOTHER_GATEWAY)}
        return sign_envelope(content, identity)


class Unsigned(ClientMachine):
    """A client of somebody's own that takes the anonymous identity; the SDK's constructor throws."""

    needs_key: ClassVar[bool] = False


class BareSocket(ClientMachine):
    """``new WebSocket(url)`` without any SDK: it says hello in JSON, in a text frame, and listens. No timers."""

    def _connected(self, now_ns: int) -> None:
        del now_ns
        self._session.events.append(SendFrame(b'{"type":"hello"}', "text"))

    def _receive(self, data: bytes, now_ns: int) -> None:
        """Whatever comes means nothing to it."""


class Js034(ClientMachine):
    """Version 0.3.4, for which npm picks @dfinity/agent 1.4.0: no canister message is good enough for it.

    There ``Certificate.lookup`` returns an object ``{status, value}``, and utils.ts compares that with the
    root of the witness: "Witness != Tree passed in ic-certification".
    """

    def __init__(
        self, config: ClientConfig, identity: Identity, *, verify: Verifier | None = None, **given: Any
    ) -> None:
        def compares_an_object(frame: CanisterMessage, now_ns: int, expected: int) -> list[Step]:
            steps = (verify or self._check)(frame, now_ns, expected)
            return [_differs(step) if step.step == "certified_data" else step for step in steps]

        super().__init__(config, identity, verify=compares_an_object, **given)


class _WithoutOpenTimer(ClientSession):
    def do_send_ws_open(self, it: Happening) -> None:
        super().do_send_ws_open(it)
        self.do_stop_open_timer(it)


class Js031(ClientMachine):
    """Versions 0.3.0 and 0.3.1: no CloseMessage among the service messages, no open timeout.

    Source: idl.ts, WebsocketServiceMessageContentIdl; the words are @dfinity/candid's. Their ack timeout
    is a setting of its own, 450 s in 0.3.1 and 90 s before; here, as elsewhere, ack_interval_ms + 30 s.
    """

    session_class: ClassVar[type[ClientSession]] = _WithoutOpenTimer

    def _fire(self, it: Happening) -> None:
        if it.trigger is ClientTrigger.CLOSE_MESSAGE:
            text = f"[onWsMessage] Service message error: Error: {_CLOSE_MESSAGE}"
            it = Happening(ClientTrigger.BAD_SERVICE_MESSAGE, it.now_ns, text=text)
        super()._fire(it)


class Js022(Js031):
    """Versions up to 0.2.2: ws_open goes out as soon as the socket is open, and names no gateway.

    A gateway's handshake is to them a canister message that is none. Source: ic-websocket.ts, _onWsOpen
    and _processIncomingMessage.
    """

    def _connected(self, now_ns: int) -> None:
        self._session.events.append(SendFrame(self._session.outbox.ws_open(None, now_ns)))
        self._enter(ClientState.OPENING)

    def _fire(self, it: Happening) -> None:
        if it.trigger is ClientTrigger.BAD_FRAME and it.text.endswith("is not a ClientIncomingMessage"):
            it = replace(it, text=f"Error receiving message: Error: {_NOT_INCOMING}")
        super()._fire(it)


class Js021(SignsInItsWay, Js022):
    """Versions up to 0.2.1: they sign themselves, and leave out what a delegated identity would add.

    Source: agent/index.ts, _signRequest.
    """

    def envelope(self, content: Mapping[str, Any], identity: Identity) -> Envelope:
        return replace(sign_envelope(content, identity), sender_delegation=None)


def _differs(step: Step) -> Step:
    return replace(step, ok=False, detail="the look-up's result is an object, which equals no bytes")
