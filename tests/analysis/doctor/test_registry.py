"""The most specific cause wins, and what happened to many is said once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from icws_explore.analysis.doctor import RULES, Finding
from icws_explore.analysis.doctor.registry import absorb, capture_rule, merge


def finding(rule_id: str, *sessions: str | None, frames: tuple[int, ...] = (1,), told: str = "It did.") -> Finding:
    return Finding(rule_id, "error", frames, told, "", "", "", sessions)


class TestRegistering:
    def test_an_id_has_one_rule(self):
        with pytest.raises(ValueError, match="OPEN_TIMEOUT"):
            capture_rule("OPEN_TIMEOUT", sdk="", fix="", source="")(lambda _: ())

    def test_explains_only_what_is_a_rule(self):
        assert {other for rule in RULES.values() for other in rule.explains} <= set(RULES)


class TestAbsorbing:
    def test_a_cause_takes_its_consequence_away(self):
        assert absorb([finding("OPEN_TIMEOUT", "1"), finding("ANONYMOUS", "1")]) == [finding("ANONYMOUS", "1")]

    def test_but_not_that_of_another_session(self):
        both = [finding("OPEN_TIMEOUT", "2"), finding("ANONYMOUS", "1")]
        assert absorb(both) == both

    def test_a_cause_of_many_takes_that_of_each(self):
        wipe = finding("UPGRADE_WIPE", "1", "2")
        assert absorb([finding("ACKS_WITHHELD", "2"), wipe, finding("NO_ACKS", "1")]) == [wipe]


class TestMerging:
    def test_names_the_other_sessions(self):
        merged = merge([finding("NO_ACKS", str(n), frames=(n, 99)) for n in range(1, 15)])
        assert len(merged) == 1
        assert merged[0].explanation.startswith("It did. The same happened in sessions 2, 3,")
        assert merged[0].explanation.endswith("and 3 more.")
        assert merged[0].frames == (*range(1, 15), 99)
        assert merged[0].sessions == tuple(str(n) for n in range(1, 15))

    def test_leaves_one_unchanged(self):
        assert merge([finding("NO_ACKS", None)]) == [finding("NO_ACKS", None)]

    def test_of_several_the_worst_is_reported(self):
        weak = replace(finding("NO_ACKS", "1", told="Perhaps."), severity="warning")
        (merged,) = merge([weak, finding("NO_ACKS", "2", told="Surely.")])
        assert (merged.severity, merged.explanation) == ("error", "Surely. In session 1: Perhaps.")

    def test_another_explanation_in_another_session_is_added(self):
        late, none = "The answer to frame {} left too late.", "Nothing ever answers frame {}, and it was cut."
        group = [finding("NO_ACKS", str(n), told=(none if n == 3 else late).format(n)) for n in (1, 2, 3, 4)]
        (merged,) = merge(group)
        assert merged.explanation == (
            "The answer to frame 1 left too late. The same happened in sessions 2, 4. "
            "In session 3: Nothing ever answers frame 3, and it was cut."
        )
        assert merged.sessions == ("1", "2", "3", "4")

    def test_three_stories_at_most(self):
        words = ("apple pear", "house roof", "river sea", "stone sand", "wind rain")
        (merged,) = merge([finding("NO_ACKS", str(n), told=f"{word}.") for n, word in enumerate(words)])
        assert merged.explanation == (
            "apple pear. The same happened in sessions 3, 4. In session 1: house roof. In session 2: river sea."
        )

    def test_of_two_in_one_session_the_first_is_reported(self):
        assert merge([finding("A", "1", told="First."), finding("A", "1", told="Second.")])[0].explanation == "First."
