"""Exercises in which the learner writes a part of a client. Each is checked by what it does."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise
from typing import Any, Final

from icws_explore.lab import Lab
from icws_explore.lab.gateway.gateway import GatewayServer
from icws_explore.lab.simulator import NetworkConditions, Population, simulate
from icws_explore.live.connect import connect
from icws_explore.live.session import Session
from icws_explore.protocol.candid import parse_type
from icws_explore.protocol.canister import App, AppContext
from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.errors import IcwsError
from icws_explore.protocol.principal import Principal

from . import Check
from .faults import close_of
from .programs import WRITE

_SEED: Final = 23
_TEXTS: Final = ("one", "two", "three", "four", "five")
_CUT_AT: Final = 3  # the message before which the gateway is killed
_LIMIT_S: Final = 60.0  # real seconds for the learner's client
_SILENCE_S: Final = 600.0  # protocol time after which nothing will come any more
_Case = tuple[str, list[float], list[float], float, float | None]  # what, sent, acks, interval, the right answer


def _in_capitals(context: AppContext, client: Principal, message: Any) -> None:
    context.send(client, {"text": message["text"].upper()})


_CAPITALS: Final = App("capitals", parse_type("record { text : text }"), on_message=_in_capitals)


def check_acceptance(answer: Any) -> Check:
    """Does ``answer(numbers)`` say how many of the received sequence numbers a client accepts before it closes?"""
    if answer is ...:
        return Check(None, f"{WRITE}a function of a list of numbers that returns a number")
    if not callable(answer):
        return Check(False, "the answer is a function of a list of sequence numbers")
    rng = random.Random(_SEED)
    cases = [[], [1], [1, 2, 3], [2, 3], [1, 2, 2, 3], [1, 3, 2, 4], [1, 2, 4, 5], [0, 1, 2]]
    for _ in range(30):
        numbers = list(range(1, rng.randrange(2, 9)))
        rng.shuffle(numbers)
        cases.append(numbers)
    for numbers in cases:
        right = _accepted(numbers)
        got = answer(list(numbers))
        if got != right:
            return Check(False, f"of {numbers} a client accepts {right}, and your function returned {got!r:.40}")
    return Check(True, f"right for {len(cases)} sequences of numbers")


def check_give_up_time(answer: Any) -> Check:
    """Does ``answer(sent, acks, interval_s)`` say when a client gives up?

    ``sent`` and ``acks`` are lists of the seconds at which it sent its messages and received its acks. None: it
    never starts to wait.
    """
    if answer is ...:
        return Check(None, f"{WRITE}a function of sent, acks and interval_s that returns seconds or None")
    if not callable(answer):
        return Check(False, "the answer is a function of two lists and a number")
    cases: list[_Case] = [
        ("a client that only listens", [], [], 300.0, None),
        ("a client whose acks never come", [6.0, 20.0], [], 300.0, 336.0),
        ("a client with one ack", [6.0, 20.0], [100.0], 300.0, 430.0),
        ("another interval", [6.0], [], 120.0, 156.0),
    ]
    for number, (interval_ms, seed) in enumerate([(120_000, 1), (200_000, 2), (90_000, 3)]):
        cases.append(_simulated_case(number, interval_ms, seed))
    for what, sent, acks, interval_s, right in cases:
        got = answer(list(sent), list(acks), interval_s)
        if right is None and got is None:
            continue
        if right is None or not isinstance(got, (int, float)) or abs(got - right) > 1:
            shown = "never gives up" if right is None else f"gives up after {right:.1f} s"
            found = f"your function returned {got!r:.40}"
            return Check(False, f"{what} (sent {sent[:2]}…, acks {acks}) {shown}, and {found}")
    return Check(True, f"right for {len(cases)} clients, three of them simulated")


async def check_conversation(answer: Any) -> Check:
    """Does ``await answer(session, texts)`` send each text, and return the texts of the canister's answers?"""
    if answer is ...:
        return Check(None, f"{WRITE}an async function of session and texts that returns the answers")
    if not asyncio.iscoroutinefunction(answer):
        return Check(False, "the answer is a function that is written with async def")
    with Lab(_CAPITALS, time_scale=60, paused=True) as lab:
        async with connect(lab) as session:
            try:
                got = await _not_stuck(answer(session, list(_TEXTS)), lab)
            except TimeoutError:
                return Check(
                    False, "your function waits for an answer that does not come: the canister answers each text once"
                )
            kinds = [decoded.kind for decoded in session.recording if decoded.kind in {"message", "app"}]
    sent = kinds.count("message")
    if sent != len(_TEXTS):
        return Check(False, f"it sent {sent} messages for {len(_TEXTS)} texts")
    if ("message", "message") in pairwise(kinds):
        return Check(False, "it sent a text before the last one was answered: a gateway may relay the second one first")
    if not isinstance(got, (list, tuple)) or list(got) != [text.upper() for text in _TEXTS]:
        return Check(False, f"the canister answered every text in capitals, and your function returned {got!r:.100}")
    return Check(True, f"with another canister it sent {sent} texts, and returned the {sent} answers in order")


async def _not_stuck(answer: Awaitable[Any], lab: Lab) -> Any:
    """Await ``answer``. Raises TimeoutError when it has waited for `_SILENCE_S` of the lab's time."""
    working, silent = asyncio.ensure_future(answer), asyncio.ensure_future(lab.clock.sleep(_SILENCE_S))
    try:
        await asyncio.wait({working, silent}, timeout=_LIMIT_S, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise TimeoutError
        return working.result()
    finally:
        silent.cancel()
        working.cancel()
        await asyncio.gather(working, silent, return_exceptions=True)


async def check_survivor(answer: Any) -> Check:
    """Does ``await answer(connect, gateways, texts)`` get an echo of every text although a gateway dies?

    ``connect(gateway)`` opens a session through a gateway, ``gateways`` are their addresses. It runs twice: once the
    gateway comes back at the same address, once only another gateway is left.
    """
    if answer is ...:
        return Check(None, f"{WRITE}an async function of connect, gateways and texts that returns the answers")
    if not asyncio.iscoroutinefunction(answer):
        return Check(False, "the answer is a function that is written with async def")
    for comes_back in (True, False):
        where = "came back after its restart" if comes_back else "was gone, and another one was left"
        try:
            with Lab("echo", time_scale=60, gateways=2) as lab:
                mortal = _Mortal(lab, comes_back=comes_back)
                urls = [gateway.url for gateway in lab.gateways]
                got = await asyncio.wait_for(answer(mortal.connect, urls, list(_TEXTS)), _LIMIT_S)
        except TimeoutError:
            return Check(
                False,
                f"when the gateway {where}, your client was not done in {_LIMIT_S:.0f} s",
            )
        except IcwsError as error:
            return Check(False, f"when the gateway {where}, your client ended with {type(error).__name__}: {error}")
        if not mortal.was_killed:
            return Check(False, f"your client sent only {mortal.sent} messages: send one text after another")
        if list(got) != list(_TEXTS):
            return Check(False, f"when the gateway {where}, it returned {got!r:.120}")
    return Check(True, "all five answers arrived, after a restart and through another gateway")


class _Mortal:
    """Opens sessions in a lab whose first gateway is killed right before the third message is sent."""

    def __init__(self, lab: Lab, *, comes_back: bool) -> None:
        self._lab = lab
        self._comes_back = comes_back
        self.sent = 0

    @property
    def was_killed(self) -> bool:
        return self.sent >= _CUT_AT

    async def connect(self, gateway: str) -> _Watched:
        network = {"canister": self._lab.canister_id, "root_key": self._lab.root_key, "clock": self._lab.clock}
        session = await connect(gateway, app_type=self._lab.app_did, **network)  # type: ignore[arg-type]
        return _Watched(session, self._about_to_send)

    async def _about_to_send(self) -> None:
        self.sent += 1
        if self.sent == _CUT_AT:
            await asyncio.to_thread(self._kill, self._lab.gateways[0])

    def _kill(self, gateway: GatewayServer) -> None:
        port = int(gateway.url.rsplit(":", 1)[1].strip("/"))
        self._lab.remove_gateway(gateway)
        if self._comes_back:
            self._lab.add_gateway(port=port)


class _Watched:
    """A real session. It tells before it sends."""

    def __init__(self, session: Session, about_to_send: Callable[[], Any]) -> None:
        self._session = session
        self._about_to_send = about_to_send

    async def send(self, text: str) -> None:
        """Send a text. Raises SessionClosedError when the session has ended."""
        await self._about_to_send()
        await self._session.send({"text": text})

    async def receive(self, timeout: float = 5.0) -> str:
        """Return the next text (``timeout`` in seconds). Raises SessionClosedError and TimeoutError."""
        value = await self._session.receive(timeout=timeout)
        return str(value["text"])

    async def close(self) -> None:
        """Close the session."""
        await self._session.close()


def _accepted(numbers: Sequence[int]) -> int:
    expected = 1
    for number in numbers:
        if number != expected:
            break
        expected += 1
    return expected - 1


def _simulated_case(number: int, interval_ms: int, seed: int) -> _Case:
    """A client that is configured with another interval than its canister, which acks every 300 s."""
    population = Population(ack_interval_ms=interval_ms)
    conditions = NetworkConditions(update_latency_ms=100.0 * (number + 1))
    given = {"population": population, "conditions": conditions}
    result = simulate("echo", duration="15m", seed=seed, crypto="stand-in", **given)  # type: ignore[arg-type]
    close = close_of(result.raw)
    start = result.raw.frames[0].t
    until = result.raw.frames[-1].t if close is None else close.t
    sent = [d.frame.t - start for d in result if d.kind in {"message", "keep_alive"} and d.frame.t < until]
    acks = [d.frame.t - start for d in result if d.kind == "ack" and d.frame.t < until]
    assert close is not None
    assert close.code == CloseCode.CLOSED_BY_SDK, "this client gives up, because its interval is shorter"
    return "a simulated client", sent, acks, interval_ms / 1000, close.t - start
