"""What the canisters of scenarios answer."""

from __future__ import annotations

from icws_explore.lab.scenarios.scripts import TEXT, echo, goodbye, texts
from icws_explore.lab.simulator import simulate
from icws_explore.protocol.canister import App


def said(app: App) -> tuple[list[str], int]:
    """What the canister answers to three texts, and how the session ends."""
    run = simulate(app, duration="1m", clients=texts((5, "hello"), (10, "bye"), (15, "still here")))
    answers = [each.value["text"] for each in run if each.kind == "app" and each.frame.direction == "in"]
    return answers, run.raw.frames[-1].code


class TestEcho:
    def test_says_everything_back(self):
        assert said(App("an echo", TEXT, on_message=echo))[0] == ["hello", "bye", "still here"]


class TestGoodbye:
    def test_is_an_echo_until_bye(self):
        assert said(goodbye()) == (["hello", "bye"], 4001)
