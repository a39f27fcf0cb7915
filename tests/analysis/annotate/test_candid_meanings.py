"""The words for Candid's parts and for the values of applications."""

import pytest

from icws_explore.analysis.annotate.candid_layer import app_meaning, part_meaning, protocol_meaning
from icws_explore.analysis.annotate.meanings import Context
from icws_explore.protocol.candid import CandidNode
from icws_explore.protocol.constants import NS_PER_S

AT = Context(1_741_106_549 * NS_PER_S, sent=True)


def part(path, kind, value=None, meaning="", size=1):
    return CandidNode(path, kind, 0, size, value, meaning)


class TestApplicationValues:
    @pytest.mark.parametrize(
        ("value", "meaning"),
        [
            (1_741_106_550 * NS_PER_S, "as nanoseconds: 2025-03-04 16:42:30 UTC, 1 s after it was sent"),
            (1_741_106_550, "as seconds: 2025-03-04 16:42:30 UTC"),
            (0, ""),
            (5, ""),
            ("noon", ""),
            (10**40, ""),
        ],
    )
    def test_a_timestamp_is_told_where_it_can_be_one(self, value, meaning):
        assert app_meaning("timestamp", part("0.timestamp", "nat64", value), AT) == meaning

    def test_of_other_names_nothing_is_known(self):
        assert not app_meaning("sequence_num", part("0.sequence_num", "nat64", 3), AT)


class TestProtocolValues:
    def test_fields(self):
        assert protocol_meaning("sequence_num", part("0.sequence_num", "nat64", 3), AT) == "the client's 3rd message"

    def test_cases(self):
        assert "open" in protocol_meaning("OpenMessage", part("0.OpenMessage", "record {}"), AT)

    def test_anything_else(self):
        assert not protocol_meaning("colour", part("0.colour", "text", "red"), AT)


class TestParts:
    @pytest.mark.parametrize(
        ("node", "meaning"),
        [
            (part("types.t0.opcode", "opcode", -20, "record"), "defines a type: record"),
            (part("types.t0.text.id", "field id", 5, "text"), "hash of the name text"),
            (part("types.t0._5_.id", "field id", 5, "_5_"), "hash of a name that is not known"),
            (part("0.case", "index", 1, "Ok"), "case 1: Ok"),
            (part("0.unread", "unread", None, size=7), "not read: 7 bytes"),
            (part("types.count", "count", 2), "entries in the type table"),
            (part("0.length", "count", 2), "how many follow"),
            (part("args.0", "type", "t0"), "its type"),
        ],
    )
    def test_are_named(self, node, meaning):
        assert part_meaning(node) == meaning
