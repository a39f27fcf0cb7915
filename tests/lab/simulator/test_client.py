"""A simulated client: its frames, its clock, and how its session ends."""

from __future__ import annotations

from typing import Any

import pytest

from icws_explore.lab.apps import echo
from icws_explore.lab.simulator import Population, Script, simulate
from icws_explore.protocol.candid import TEXT, encode
from icws_explore.protocol.canister import App
from icws_explore.protocol.constants import NS_PER_MS, NS_PER_S
from icws_explore.protocol.errors import ValueMismatchError


class Does(Script):
    """Carries out one action when the session opens."""

    def __init__(self, action: Any) -> None:
        self.action = action

    def opened(self, client: Any) -> None:
        self.action(client)


class TestEnds:
    def test_by_the_client(self):
        """The gateway drops the connection, as the real one does. The recording has the client's own close."""
        simulation = simulate("echo", duration="10s", population=Population(script=Does(lambda client: client.close())))
        closes = [f for f in simulation.raw.frames if f.op == "close"]
        assert [(f.direction, f.code, f.reason) for f in closes] == [("out", 1000, "")]
        assert simulation.world.clients[0].machine.state == "closed"

    def test_by_content_of_another_type(self):
        """The client sends Candid of another type than the app's, so the canister traps."""
        simulation = simulate(
            "echo", duration="10s", population=Population(script=Does(lambda c: c.send_bytes(encode([TEXT], ["x"]))))
        )
        assert any("cannot be decoded" in event.text for event in simulation.log)

    def test_by_the_gateway(self):
        def break_off(client: Any) -> None:
            client.link_up.send(b"", "ping")

        simulation = simulate("echo", duration="10s", population=Population(script=Does(break_off)))
        closes = [f for f in simulation.raw.frames if f.op == "close"]
        assert [(f.direction, f.code) for f in closes] == [("in", 1006)]

    def test_by_the_application(self):
        def close(client: Any) -> None:
            client.send({"text": "bye"})

        app = App("rude", echo.app().message_type, on_message=lambda context, client, _: context.close(client))
        simulation = simulate(app, duration="10s", population=Population(script=Does(close)))
        assert simulation.counts.ended == {"4001 ClosedByApplication": 1}
        assert simulation.truth.sessions[0].failures == ("the canister closed the session: ClosedByApplication",)


class TestClock:
    def test_shows_true_time_plus_the_skew(self):
        seen = []
        simulate(
            "echo",
            duration="10s",
            population=Population(skew_ms=1_500.5, script=Does(lambda c: seen.append(c.now_ns - c.opened_ns))),
        )
        assert seen == [1_500_500_000]

    def test_gives_the_messages_their_timestamps(self):
        simulation = simulate(duration="1m", population=Population(skew_ms=-2_000))
        for decoded in simulation:
            if decoded.kind == "message":
                assert decoded.message.timestamp_ns == int(decoded.frame.t * 1000) * NS_PER_MS


class TestSending:
    def test_a_value_of_a_wrong_type_raises_in_the_script(self):
        with pytest.raises(ValueMismatchError):
            simulate("echo", duration="10s", population=Population(script=Does(lambda client: client.send({"no": 1}))))

    def test_happens_after_the_given_wait(self):
        seen = []
        simulation = simulate(
            "echo",
            duration="10s",
            population=Population(script=Does(lambda c: c.after((1_000, 2_000), lambda: seen.append(c.now_ns)))),
        )
        assert NS_PER_S <= seen[0] - simulation.truth.sessions[0].opened_ns <= 2 * NS_PER_S
