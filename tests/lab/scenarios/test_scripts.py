"""The ordinary clients and canisters of scenarios."""

from __future__ import annotations

from icws_explore.lab.scenarios.scripts import TEXT, echo, goodbye, texts
from icws_explore.lab.simulator import Population, simulate
from icws_explore.protocol.canister import App


class TestLines:
    def test_are_sent_that_many_seconds_after_opening(self):
        run = simulate(
            "echo", duration="1m", population=Population(sessions=2, script=texts((5, "one"), (20.5, "two")))
        )
        opened_s = [session.opened_ns / 1e9 for session in run.truth.sessions]
        sent_s = [[m.sent_ns / 1e9 for m in run.truth.of("message", number)] for number in (0, 1)]
        for opened, sent in zip(opened_s, sent_s, strict=True):
            assert [round(each - opened, 3) for each in sent] == [5, 20.5]

    def test_are_not_sent_after_the_end(self):
        run = simulate("echo", duration="10s", population=Population(script=texts((5, "one"), (20, "two"))))
        assert len(run.truth.of("message")) == 1


def answers_of(app: App) -> tuple[list[str], int]:
    """The canister's answers to three texts, and the code with which the session ends."""
    run = simulate(
        app, duration="1m", population=Population(script=texts((5, "hello"), (10, "bye"), (15, "still here")))
    )
    answers = [each.value["text"] for each in run if each.kind == "app" and each.frame.direction == "in"]
    return answers, run.raw.frames[-1].code


class TestEcho:
    def test_sends_everything_back(self):
        assert answers_of(App("an echo", TEXT, on_message=echo))[0] == ["hello", "bye", "still here"]


class TestGoodbye:
    def test_is_an_echo_until_bye(self):
        assert answers_of(goodbye()) == (["hello", "bye"], 4001)
