"""Transition tables: the driver, replacing an action, and the diagram."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from icws_explore.protocol.transitions import Close, Transition, TransitionTable


class Light(StrEnum):
    OFF = "off"
    ON = "on"


class Hand(StrEnum):
    PRESS = "press"
    PULL = "pull"


@dataclass(frozen=True)
class Touch:
    kind: Hand


@dataclass
class Lamp:
    state: Light = Light.OFF
    is_plugged_in: bool = True
    done: list[str] = field(default_factory=list)

    def take(self, row: Transition[Light, Hand, Any, Any]) -> None:
        self.done.append(f"take {row.to}")
        self.state = row.to

    def has_power(self, _touch: Touch) -> bool:
        self.done.append("has_power")
        return self.is_plugged_in

    def click(self, _touch: Touch) -> None:
        self.done.append("click")

    def shine(self, touch: Touch) -> None:
        self.done.append(f"shine at {touch.kind}")


TABLE: TransitionTable[Light, Hand, Lamp, Touch] = TransitionTable(
    [
        Transition(Light.OFF, Hand.PRESS, Light.ON, Lamp.has_power, (Lamp.click, Lamp.shine)),
        Transition(Light.OFF, Hand.PRESS, Light.OFF, None, (Lamp.click,)),
        Transition(Light.ON, Hand.PRESS, Light.OFF, close=Close(4000, "dark")),
    ]
)
PRESS, PULL = Touch(Hand.PRESS), Touch(Hand.PULL)


class TestFire:
    def test_takes_the_first_row_whose_guard_holds(self) -> None:
        assert TABLE.fire(Lamp(), PRESS) is TABLE.rows[0]
        assert TABLE.fire(Lamp(is_plugged_in=False), PRESS) is TABLE.rows[1]

    def test_enters_the_state_before_the_actions_and_runs_these_in_their_order(self) -> None:
        lamp = Lamp()
        TABLE.fire(lamp, PRESS)
        assert (lamp.state, lamp.done) == (Light.ON, ["has_power", "take on", "click", "shine at press"])

    def test_a_trigger_without_a_row_does_nothing(self) -> None:
        lamp = Lamp(Light.ON)
        assert TABLE.fire(lamp, PULL) is None
        assert lamp == Lamp(Light.ON)

    def test_leaves_the_close_to_the_caller(self) -> None:
        row = TABLE.fire(Lamp(Light.ON), PRESS)
        assert row is not None
        assert row.close == Close(4000, "dark")


class TestWithAction:
    def test_replaces_an_action_in_every_row_and_nothing_else(self) -> None:
        table = TABLE.with_action(Lamp.click, Lamp.shine)
        assert [row.actions for row in table] == [(Lamp.shine, Lamp.shine), (Lamp.shine,), ()]
        assert [(row.state, row.trigger, row.to, row.guard, row.close) for row in table] == [
            (row.state, row.trigger, row.to, row.guard, row.close) for row in TABLE
        ]
        assert TABLE.rows[0].actions == (Lamp.click, Lamp.shine)


class TestDiagram:
    def test_has_one_arrow_for_each_pair_of_states(self) -> None:
        assert TABLE.diagram().splitlines() == [
            "stateDiagram-v2",
            "    [*] --> OFF",
            "    OFF: OFF",
            "    OFF: press",
            "    OFF --> ON: press [has_power]",
            "    ON --> OFF: press / close(4000)",
        ]
        assert len(TABLE) == len(list(TABLE)) == 3

    def test_of_a_table_without_rows_has_no_states(self) -> None:
        assert TransitionTable([]).diagram() == "stateDiagram-v2\n"

    def test_of_a_close_without_a_code_shows_none(self) -> None:
        assert [str(Close(None)), str(Close(1000)), str(Close(4000, "x"))] == [
            "close()",
            "close(1000)",
            "close(4000, 'x')",
        ]
