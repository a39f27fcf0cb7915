"""Exercises in which the learner writes a canister. Each is checked in the simulator, by what its clients receive."""

from __future__ import annotations

from typing import Any, Final

from icws_explore.analysis.decode import decode_frames
from icws_explore.lab.scenarios.scripts import Lines
from icws_explore.lab.simulator import Population, Script, ScriptedClient, Simulation, simulate
from icws_explore.protocol.canister import App
from icws_explore.protocol.service_messages import CloseMessage

from . import Check
from .programs import WRITE

METHODS: Final = {"ws_open": "client", "ws_message": "client", "ws_get_messages": "gateway", "ws_close": "gateway"}
_VOTES: Final = ((10.0, "tea"), (20.0, "milk"), (30.0, ""), (40.0, "tea"), (50.0, "x" * 60), (60.0, "milk"))
_TOTALS: Final = ["tea: 1", "milk: 1", "tea: 2", "milk: 2"]
IDLE_S: Final = (60.0, 100.0)  # when the strict canister must have closed a silent client
_STRICT: Final = "4m"


def check_callers(answer: Any) -> Check:
    """Who signs the calls of the four methods: "client" or "gateway"? The answer maps the names to the parties."""
    if answer is ...:
        return Check(None, f'{WRITE}a dictionary such as {{"ws_open": "client"}}, with all four methods')
    if not isinstance(answer, dict) or set(answer) != set(METHODS):
        return Check(False, f"the answer is a dictionary with the keys {', '.join(METHODS)}")
    wrong = [name for name, party in METHODS.items() if answer[name] != party]
    if wrong:
        return Check(False, f"{len(wrong)} of 4 are wrong: who needs the answer, and with whose key?")
    return Check(True, "the client signs what it sends; the gateway polls and reports lost clients in its own name")


def check_poll(answer: Any) -> Check:
    """Does the canister that ``answer()`` makes count votes, tell all clients, and ignore what is no vote?"""
    if answer is ...:
        return Check(None, f"{WRITE}a function without arguments that returns an App")
    app = _made(answer)
    if isinstance(app, Check):
        return app
    population = Population(2, script=_FirstVotes(), arrivals=lambda number: 1.0 * number)
    result = simulate(app, duration="2m", seed=4, population=population, crypto="stand-in")
    for event in result.log:
        if event.kind == "trapped":
            return Check(False, f"your canister trapped: {event.text}")
    for session in result.raw.session_ids:
        got = [decoded.value for decoded in result.session(session) if decoded.kind == "app"]
        if got != _TOTALS:
            return Check(False, f"a client received {got!r:.120}, but it must receive {_TOTALS!r}")
    return Check(True, "both clients received every total, and the two messages that are no votes did no harm")


def check_strict(answer: Any) -> Check:
    """Does the canister that ``answer()`` makes close the session of a client that is silent for a minute?"""
    if answer is ...:
        return Check(None, f"{WRITE}a function without arguments that returns an App")
    silent = _made(answer)
    if isinstance(silent, Check):
        return silent
    result = simulate(silent, duration=_STRICT, seed=4, population=Population(script=Script()), crypto="stand-in")
    after_s, reason = _closed_by_canister(result)
    low, high = IDLE_S
    if after_s is None or reason != "ClosedByApplication":
        return Check(False, "a silent client is still there after four minutes: context.close(client) closes it")
    if not low <= after_s <= high:
        return Check(False, f"the silent client was closed after {after_s:.0f} s instead of a minute")
    talkative = _made(answer)
    assert isinstance(talkative, App)
    lines = Lines([(20.0 * number, "still here") for number in range(1, 11)])
    result = simulate(talkative, duration=_STRICT, seed=4, population=Population(script=lines), crypto="stand-in")
    after_s, _ = _closed_by_canister(result)
    if after_s is not None and after_s < 200:  # its last message
        return Check(False, f"a client that speaks every 20 s was closed after {after_s:.0f} s")
    return Check(True, "a silent client is closed after a minute, and one that speaks is not")


class _FirstVotes(Script):
    """The first client votes; the others only listen."""

    def opened(self, client: ScriptedClient) -> None:
        if client.number == 0:
            Lines(_VOTES).opened(client)


def _made(make: Any) -> App | Check:
    if not callable(make):
        return Check(False, "the answer is a function that returns an App")
    app = make()
    return app if isinstance(app, App) else Check(False, f"your function must return an App, not {type(app).__name__}")


def _closed_by_canister(result: Simulation) -> tuple[float | None, str]:
    """After how many seconds the canister's CloseMessage arrived, and its reason."""
    told = next((decoded for decoded in decode_frames(result.raw) if decoded.kind == "close"), None)
    if told is None or not isinstance(told.service, CloseMessage):
        return None, ""
    return told.frame.t - result.raw.frames[0].t, told.service.reason
