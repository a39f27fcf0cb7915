"""A finding is plain data, and prints as the documented JSON."""

from __future__ import annotations

import json
from dataclasses import replace

from icws_explore.analysis.doctor import Finding, Findings

ONE = Finding("BODY_HASH", "error", (4, 7), "told", "does", "do", "from", ("1",))


class TestFinding:
    def test_json_has_the_documented_members(self):
        assert json.loads(json.dumps(ONE.to_json())) == {
            "id": "BODY_HASH",
            "severity": "error",
            "frames": [4, 7],
            "sessions": ["1"],
            "explanation": "told",
            "sdk_behaviour": "does",
            "fix": "do",
            "source": "from",
        }

    def test_prints_in_a_line(self):
        assert str(ONE) == "BODY_HASH (error, frames 4, 7): told Fix: do"
        assert str(replace(ONE, frames=())) == "BODY_HASH (error): told Fix: do"


class TestFindings:
    def test_print_a_line_each(self):
        assert str(Findings([ONE, ONE])) == f"{ONE}\n{ONE}\n2 errors"
        assert "nothing is wrong" in str(Findings())

    def test_ids_come_once(self):
        assert Findings([ONE, ONE]).ids == ("BODY_HASH",)

    def test_errors_are_errors_only(self):
        info = Finding("CLOSED_BY_APPLICATION", "info", (), "", "", "", "")
        assert Findings([info, ONE]).has_errors
        assert not Findings([info]).has_errors
        assert not Findings().has_errors
