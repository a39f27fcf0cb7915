"""transitions: the table's look-up and its diagram."""

from __future__ import annotations

from enum import StrEnum

from icws_explore.protocol.transitions import Close, Transition, TransitionTable


class Light(StrEnum):
    OFF = "off"
    ON = "on"


class Hand(StrEnum):
    PRESS = "press"
    PULL = "pull"


TABLE: TransitionTable[Light, Hand] = TransitionTable(
    [
        Transition(Light.OFF, Hand.PRESS, Light.ON, "has_power", ("click", "shine")),
        Transition(Light.OFF, Hand.PRESS, Light.OFF, "", ("click",)),
        Transition(Light.ON, Hand.PRESS, Light.OFF, close=Close(4000, "dark")),
    ]
)


class TestFind:
    def test_takes_the_first_row_whose_guard_holds(self) -> None:
        assert TABLE.find(Light.OFF, Hand.PRESS, lambda guard: True) is TABLE.rows[0]
        assert TABLE.find(Light.OFF, Hand.PRESS, lambda guard: False) is TABLE.rows[1]

    def test_asks_for_the_guard_by_name_and_only_where_there_is_one(self) -> None:
        asked: list[str] = []
        TABLE.find(Light.OFF, Hand.PRESS, lambda guard: asked.append(guard) is not None)
        TABLE.find(Light.ON, Hand.PRESS, lambda guard: asked.append(guard) is not None)
        assert asked == ["has_power"]

    def test_what_has_no_row_means_nothing(self) -> None:
        assert TABLE.find(Light.ON, Hand.PULL, lambda guard: True) is None


class TestTheTableAsData:
    def test_names_its_guards_and_actions(self) -> None:
        assert TABLE.guards == {"has_power"}
        assert TABLE.actions == {"click", "shine"}
        assert len(TABLE) == len(list(TABLE)) == 3

    def test_draws_one_arrow_a_row(self) -> None:
        assert TABLE.diagram().splitlines() == [
            "stateDiagram-v2",
            "    [*] --> OFF",
            "    OFF: OFF",
            "    OFF: press",
            "    OFF --> ON: press [has_power]",
            "    ON --> OFF: press / close(4000)",
        ]

    def test_a_close_without_a_code_shows_none(self) -> None:
        assert [str(Close(None)), str(Close(1000)), str(Close(4000, "x"))] == [
            "close()",
            "close(1000)",
            "close(4000, 'x')",
        ]
