"""The way of each message through client, gateway and canister, with the time at which each of them had it.

A client's recording has the client's times, and the canister's time of each message that came. Two more sources tell
of the other parties: a tap in front of the network records what the gateway asked and was told (`NetworkSide`), and a
lab notes what its gateways and its canister did (`Sighting`). `passages` joins them: a call by its request id, a
canister message by its client and its key. A message that no party passed on has a place where it was lost.

A message counts as lost only if that is certain: a later one of the same session got further, or more time than the
protocol's latency bound has passed. Until then it is on its way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias

from icws_explore.capture import Capture
from icws_explore.protocol.arguments import decode_message_args, decode_open_args
from icws_explore.protocol.constants import LATENCY_BOUND_MS
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.errors import IcwsError
from icws_explore.protocol.messages import CanisterMessage, ClientKey, WebsocketMessage
from icws_explore.protocol.service_messages import decode_service

from .decode import DecodedFrame, Kind, describe_service, shared_frames
from .doctor.network_side import NetworkSide
from .flow import flow
from .network_calls import NetworkCall
from .timing.instants import Origin, instants
from .timing.skew import skew_of

# Between which parties a message was lost. "unsent": the client left a number out; "unknown": on either side of the
# gateway.
Place = Literal[
    "unsent", "client to gateway", "gateway to canister", "canister to gateway", "gateway to client", "unknown"
]
# relayed, answered: a client's call at the gateway; executed: at the canister. polled: a canister message at the
# gateway; queued: one that waits in the canister for a poll.
Event = Literal["relayed", "answered", "executed", "polled", "queued"]

_LATENCY_S: Final = LATENCY_BOUND_MS / 1000
_PLACES: Final[dict[Place, str]] = {
    "unsent": "not sent by the client",
    "client to gateway": "not relayed by the gateway",
    "gateway to canister": "lost behind the gateway",
    "canister to gateway": "not given to the gateway",
    "gateway to client": "lost behind the gateway",
    "unknown": "lost between canister and client",
}


@dataclass(frozen=True, slots=True)
class Sighting:
    """One message seen at a gateway or in a canister. ``t`` is in seconds since the epoch, on the capture's clock.

    A call has a ``request_id``, a canister message a ``client_key`` and the ``key`` under which it is certified.
    ``text`` says what went wrong: the network's answer to the gateway, or the canister's Err, trap or reject.
    ``content`` is that of a call (the envelope) or of a canister message.
    """

    t: float
    event: Event
    gateway: str = ""
    request_id: bytes | None = None
    client_key: ClientKey | None = None
    key: str = ""
    content: bytes = b""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Passage:
    """One message, and when each party had it, in seconds since the capture's first frame; None: not known to have.

    ``frame`` is the number of the client's frame, None for a message that is in no frame. ``client`` names the session,
    or the principal of a client that the capture does not hold. ``canister_s`` is when the canister executed the
    message or made it. ``lost`` is where it went missing, ``why`` says it in words; a call that the canister refused
    has only ``why``. ``is_waiting`` says that the message waits in the canister's queue.
    """

    frame: int | None
    client: str
    gateway: str
    kind: Kind
    outward: bool
    sequence_num: int | None = None
    text: str = ""
    client_s: float | None = None
    gateway_s: float | None = None
    canister_s: float | None = None
    lost: Place | None = None
    why: str = ""
    is_waiting: bool = False

    @property
    def times(self) -> tuple[float, ...]:
        """The known times, in the direction of the message."""
        stations = (self.client_s, self.gateway_s, self.canister_s)
        return tuple(at for at in (stations if self.outward else stations[::-1]) if at is not None)

    @property
    def start_s(self) -> float:
        """When it first was anywhere."""
        return min(self.times, default=0.0)


@dataclass(frozen=True, slots=True)
class Passages:
    """``messages`` in the order of their first times. ``clients`` and ``gateways`` are in the order of appearance.

    ``knows_gateway`` says whether anything but the clients' side is known. ``skewed`` says that times of the canister
    were moved to the capture's clock by an estimate.
    """

    messages: tuple[Passage, ...]
    clients: tuple[str, ...]
    gateways: tuple[str, ...]
    knows_gateway: bool
    skewed: bool

    def of(self, clients: Iterable[str]) -> Passages:
        """Only the messages of those clients."""
        wanted = frozenset(clients)
        chosen = tuple(message for message in self.messages if message.client in wanted)
        gateways = tuple(dict.fromkeys(message.gateway for message in chosen))
        return replace(
            self, messages=chosen, clients=tuple(name for name in self.clients if name in wanted), gateways=gateways
        )


Id: TypeAlias = bytes | tuple[ClientKey | None, str]


@dataclass(slots=True)
class _Call:
    """What the gateways and the canister tell of one call, in seconds since the epoch."""

    gateway: str = ""
    relayed: float | None = None
    answered: float | None = None
    executed: float | None = None
    refusal: str = ""
    rejection: str = ""
    content: bytes = b""


@dataclass(slots=True)
class _Push:
    """What they tell of one message from the canister. Several have the same key after an upgrade."""

    t: float
    gateway: str
    client_key: ClientKey | None
    content: bytes
    is_polled: bool
    is_taken: bool = False


@dataclass(slots=True)
class _Known:
    calls: dict[bytes, _Call] = field(default_factory=dict)
    pushes: dict[tuple[ClientKey | None, str], list[_Push]] = field(default_factory=dict)
    end: float = 0.0


def passages(
    capture: Capture, sightings: Sequence[Sighting] = (), *, frames: Sequence[DecodedFrame] | None = None
) -> Passages:
    """The way of every message of ``capture``, and of those of other clients that ``sightings`` of a lab tell of.

    Takes any capture: what is not known of a message is None. ``frames`` are its frames if they are decoded already.
    """
    every = shared_frames(capture) if frames is None else frames
    frames = [decoded for decoded in every if not decoded.frame.is_http]
    known = _known(capture, sightings)
    return _Joined(capture, frames, known, same_clock=bool(sightings)).passages


def _known(capture: Capture, sightings: Sequence[Sighting]) -> _Known:
    known = _Known()
    for sighting in (*_network_sightings(capture), *sightings):
        known.end = max(known.end, sighting.t)
        if sighting.request_id is not None:
            _learn_call(known.calls.setdefault(sighting.request_id, _Call()), sighting)
        elif sighting.event in ("polled", "queued"):
            pushes = known.pushes.setdefault((sighting.client_key, sighting.key), [])
            is_polled = sighting.event == "polled"
            if is_polled or not any(push.content == sighting.content for push in pushes):
                pushes.append(_Push(sighting.t, sighting.gateway, sighting.client_key, sighting.content, is_polled))
    return known


def _learn_call(call: _Call, sighting: Sighting) -> None:
    match sighting.event:
        case "relayed":
            call.gateway, call.relayed, call.content = sighting.gateway, sighting.t, sighting.content
        case "answered":
            call.answered, call.refusal = sighting.t, sighting.text
        case "executed":
            call.executed, call.rejection = sighting.t, sighting.text


def _network_sightings(capture: Capture) -> Iterator[Sighting]:
    """What a tap in front of the network recorded, as sightings at the gateway."""
    if not capture.http:
        return
    network = NetworkSide(capture)
    for call in network.calls:
        if call.request_id is None or call.request_type != "call":
            continue
        yield Sighting(
            capture.frames[call.request].t, "relayed", request_id=call.request_id,
            content=capture.frames[call.request].data,
        )  # fmt: skip
        if call.response is not None and call.is_final:
            yield Sighting(
                capture.frames[call.response].t, "executed" if call.outcome in ("replied", "err") else "answered",
                request_id=call.request_id, text=_answer(call),
            )  # fmt: skip
    for (_, key), polled in network.polls.messages.items():
        message = polled.message
        yield Sighting(polled.t, "polled", client_key=message.client_key, key=key, content=message.content)


def _answer(call: NetworkCall) -> str:
    return f"{call.outcome}: {' '.join(call.text.split())}" if call.failed else ""


class _Joined:
    """Joins the frames with what is known of the other parties."""

    def __init__(self, capture: Capture, frames: Sequence[DecodedFrame], known: _Known, *, same_clock: bool) -> None:
        self._capture = capture
        self._frames = frames
        self._known = known
        self._origin = Origin(frames[0].frame.t if frames else _first(known))
        self._end = max([known.end, *(decoded.frame.t for decoded in frames[-1:])])
        self._skews = {} if same_clock else self._estimated()
        self._names = self._client_names()
        self._gateway_of: dict[str, str] = {}
        ups = [self._up(decoded) for decoded in frames if decoded.frame.direction == "out"]
        downs = [self._down(decoded) for decoded in frames if decoded.frame.direction == "in"]
        others = [*self._other_calls(), *self._other_pushes(), *self._gaps()]
        found = sorted([*self._with_losses(ups), *downs, *others], key=lambda message: message.start_s)
        found = [replace(m, gateway=m.gateway or self._gateway_of.get(m.client, "")) for m in found]
        clients = dict.fromkeys([*self._names.values(), *(message.client for message in found)])
        self.passages = Passages(
            tuple(found), tuple(clients), tuple(dict.fromkeys(message.gateway for message in found)),
            bool(known.calls or known.pushes), any(self._skews.values()),
        )  # fmt: skip

    def _estimated(self) -> dict[str, float]:
        known = instants(self._capture, self._frames).sessions
        return {_name(session): skew_of(each).estimate_s for session, each in known.items()}

    def _client_names(self) -> dict[ClientKey, str]:
        """The session of each client key: a client opens with it, and the canister's messages carry it."""
        names: dict[ClientKey, str] = {}
        for decoded in self._frames:
            key = _client_key(decoded)
            if key is not None:
                names.setdefault(key, _name(decoded.frame.session))
        return names

    # What the client sent

    def _up(self, decoded: DecodedFrame) -> Passage:
        frame = decoded.frame
        message = Passage(
            decoded.number, _name(frame.session), "", decoded.kind, True, decoded.sequence_num, decoded.summary,
            client_s=self._origin.of_frame(frame.t), why=frame.did or "",
        )  # fmt: skip
        request_id = _request_id(decoded)
        call = self._known.calls.get(request_id) if request_id is not None else None
        return message if call is None else self._with_call(message, call)

    def _with_call(self, message: Passage, call: _Call) -> Passage:
        if call.gateway:
            self._gateway_of.setdefault(message.client, call.gateway)
        gateway_s, canister_s = (
            None if at is None else self._origin.of_frame(at) for at in (call.relayed, call.executed)
        )
        lost: Place | None = "gateway to canister" if call.refusal and call.executed is None else None
        return replace(
            message, gateway=call.gateway, gateway_s=gateway_s, canister_s=canister_s, lost=lost,
            why=call.rejection or call.refusal or message.why,
        )  # fmt: skip

    def _with_losses(self, ups: Sequence[Passage]) -> Iterator[Passage]:
        """The client's messages, with the places where some went missing."""
        if not self._known.calls:
            yield from ups
            return
        furthest: dict[str, tuple[float, float]] = {}  # by client, the last time of a relayed and of an executed one
        for message in ups:
            relayed, executed = furthest.get(message.client, (float("-inf"), float("-inf")))
            at = message.client_s or 0.0
            furthest[message.client] = (
                max(relayed, at if message.gateway_s is not None else relayed),
                max(executed, at if message.canister_s is not None else executed),
            )
        for message in ups:
            relayed, executed = furthest[message.client]
            at = message.client_s or 0.0
            is_over = self._origin.of_frame(self._end) > at + _LATENCY_S
            if message.lost is not None or message.canister_s is not None or message.kind in ("control", "malformed"):
                yield message
            elif message.gateway_s is None and (is_over or relayed > at):
                yield _lost(message, "client to gateway")
            elif message.gateway_s is not None and (is_over or executed > at) and self._tells_execution:
                yield _lost(message, "gateway to canister")
            else:
                yield message

    @property
    def _tells_execution(self) -> bool:
        return any(call.executed is not None for call in self._known.calls.values())

    def _other_calls(self) -> Iterator[Passage]:
        """The calls of clients that the capture does not hold."""
        own = {_request_id(decoded) for decoded in self._frames}
        for request_id, call in self._known.calls.items():
            if request_id in own or call.relayed is None:
                continue
            caller = _caller(call.content)
            if caller is None:
                continue
            key, kind, number = caller
            yield self._with_call(Passage(None, self._name_of(key), call.gateway, kind, True, number), call)

    # What the canister sent

    def _down(self, decoded: DecodedFrame) -> Passage:
        frame = decoded.frame
        client = _name(frame.session)
        message = Passage(
            decoded.number, client, "", decoded.kind, False, decoded.sequence_num, decoded.summary,
            client_s=self._origin.of_frame(frame.t), why=frame.did or "",
        )  # fmt: skip
        made_ns = None if decoded.message is None else decoded.message.timestamp_ns
        original = _original(decoded)
        push = None if original is None else self._push(original, decoded)
        if push is None:
            if decoded.handshake is not None:
                message = replace(message, gateway_s=message.client_s)
            return message if made_ns is None else self._made(message, made_ns)
        self._gateway_of.setdefault(client, push.gateway)
        message = replace(message, gateway=push.gateway, gateway_s=self._origin.of_frame(push.t))
        return message if made_ns is None else self._made(message, made_ns)

    def _push(self, original: CanisterMessage, decoded: DecodedFrame) -> _Push | None:
        """The poll that gave this message to the gateway: the last one before it that no earlier frame came of."""
        key = None if decoded.message is None else decoded.message.client_key
        pushes = [
            push
            for push in self._known.pushes.get((key, original.key), ())
            if push.is_polled and push.t <= decoded.frame.t
        ]
        fresh = [push for push in pushes if not push.is_taken]
        found = (fresh or pushes)[-1] if pushes else None
        if found is not None:
            found.is_taken = True
        return found

    def _made(self, message: Passage, made_ns: int) -> Passage:
        """With the time at which the canister made it, which is never later than the next party's."""
        made = self._origin.of_ns(made_ns) + self._skews.get(message.client, 0.0)
        after = min((at for at in (message.gateway_s, message.client_s) if at is not None), default=made)
        return replace(message, canister_s=min(made, after))

    def _other_pushes(self) -> Iterator[Passage]:
        """The canister's messages that no frame holds: of other clients, lost, on their way, or in the queue."""
        latest: dict[str, float] = {}
        for decoded in self._frames:
            if decoded.canister_message is not None:
                latest[_name(decoded.frame.session)] = decoded.frame.t
        here = frozenset(self._names.values())
        for pushes in self._known.pushes.values():
            for push in pushes:
                if push.is_taken or not self._is_new(push, pushes):
                    continue
                message = self._unseen(push)
                if message is None:
                    continue
                if push.is_polled and message.client in here:
                    is_over = latest.get(message.client, 0.0) > push.t or self._end > push.t + _LATENCY_S
                    message = _lost(message, "gateway to client") if is_over else message
                yield message

    @staticmethod
    def _is_new(push: _Push, pushes: Sequence[_Push]) -> bool:
        """Whether a queued message was not polled since it was seen in the queue."""
        return push.is_polled or not any(other.is_polled and other.content == push.content for other in pushes)

    def _unseen(self, push: _Push) -> Passage | None:
        try:
            inner = WebsocketMessage.decode(push.content)
        except IcwsError:
            return None
        message = Passage(
            None, self._name_of(push.client_key or inner.client_key), push.gateway, _kind(inner, "app"), False,
            inner.sequence_num, gateway_s=self._origin.of_frame(push.t) if push.is_polled else None,
            is_waiting=not push.is_polled,
        )  # fmt: skip
        return self._made(message, inner.timestamp_ns)

    def _gaps(self) -> Iterator[Passage]:
        """Numbers of the canister's that never came and that no gateway was given."""
        sessions = dict.fromkeys(decoded.frame.session for decoded in self._frames)
        for session in sessions:
            name = _name(session)
            mine = [decoded for decoded in self._frames if decoded.frame.session == session]
            given = self._given(name)
            offset = self._origin.of_frame(mine[0].frame.t)
            for step in flow(mine).steps:
                if step.direction == "out":
                    continue
                for part in step.lost:
                    missing = [number for number in part if number not in given]
                    if missing:
                        yield self._gap(name, step.at_s + offset, missing)

    def _given(self, client: str) -> set[int]:
        """The numbers of the client's messages that some gateway had."""
        found = set()
        for (key, _), pushes in self._known.pushes.items():
            if key is None or self._names.get(key) != client:
                continue
            for push in pushes:
                try:
                    found.add(WebsocketMessage.decode(push.content).sequence_num)
                except IcwsError:
                    continue
        return found

    def _gap(self, client: str, at_s: float, missing: Sequence[int]) -> Passage:
        first, last = missing[0], missing[-1]
        text = f"{first}" if first == last else f"{first}–{last}"
        place: Place = "canister to gateway" if self._known.pushes else "unknown"
        return Passage(
            None, client, self._gateway_of.get(client, ""), "app", False, first if first == last else None, text,
            canister_s=at_s, lost=place, why=f"{text} {_PLACES[place]}",
        )  # fmt: skip

    def _name_of(self, key: ClientKey | None) -> str:
        if key is None:
            return "unknown"
        return self._names.get(key, key.client_principal.short)


def _lost(message: Passage, place: Place) -> Passage:
    return replace(message, lost=place, why=message.why or _PLACES[place])


def _first(known: _Known) -> float:
    times = [call.relayed for call in known.calls.values() if call.relayed is not None]
    return min([*times, *(push.t for pushes in known.pushes.values() for push in pushes)], default=0.0)


def _name(session: str | None) -> str:
    return "" if session is None else session


def _client_key(decoded: DecodedFrame) -> ClientKey | None:
    if decoded.message is not None:
        return decoded.message.client_key
    if decoded.open_args is not None and decoded.envelope is not None and decoded.envelope.sender is not None:
        return ClientKey(decoded.envelope.sender, decoded.open_args.client_nonce)
    return None


def _request_id(decoded: DecodedFrame) -> bytes | None:
    """The id of the call that the gateway gets: of the edited envelope if a breakpoint edited it."""
    if decoded.frame.op != "binary" or decoded.frame.direction != "out":
        return None
    try:
        if decoded.frame.far is not None:
            return Envelope.decode_frame(decoded.frame.far).request_id
        return None if decoded.envelope is None else decoded.envelope.request_id
    except IcwsError:
        return None


def _original(decoded: DecodedFrame) -> CanisterMessage | None:
    """The message as the gateway sent it, before a breakpoint edited it."""
    if decoded.frame.far is None:
        return decoded.canister_message
    try:
        return CanisterMessage.decode(decoded.frame.far)
    except IcwsError:
        return decoded.canister_message


def _caller(content: bytes) -> tuple[ClientKey, Kind, int | None] | None:
    """Who sent a relayed envelope, its kind and its number; None if it cannot be read."""
    try:
        envelope = Envelope.decode(content)
        if envelope.method_name == "ws_open" and envelope.sender is not None:
            return ClientKey(envelope.sender, decode_open_args(envelope.arg or b"").client_nonce), "open_request", None
        if envelope.method_name != "ws_message":
            return None
        message = decode_message_args(envelope.arg or b"")
    except IcwsError:
        return None
    return message.client_key, _kind(message, "message"), message.sequence_num


def _kind(message: WebsocketMessage, application: Kind) -> Kind:
    if not message.is_service_message:
        return application
    try:
        return describe_service(decode_service(message.content))[0]
    except IcwsError:
        return "malformed"
