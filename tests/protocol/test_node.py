"""The tree of named byte ranges: walking, finding, faults, JSON."""

from __future__ import annotations

import json

from icws_explore.protocol.node import Node, one_a_range


def frame_tree() -> Node:
    text = Node("a.text", "text(2)", 3, 6, "hi")
    blob = Node("a.b.text", "bytes(100)", 6, 106, bytes(100), fault="odd", fault_at=50)
    inner = Node("a.b", "map(1)", 6, 106, children=[blob])
    outer = Node("a", "map(2)", 1, 106, children=[Node("a:head", "head", 1, 3), text, inner])
    return Node("", "frame(106)", 0, 106, children=[Node(":tag", "tag", 0, 1), outer])


class TestWalking:
    def test_walks_in_the_order_of_the_bytes(self) -> None:
        assert [node.path for node in frame_tree().walk()] == ["", ":tag", "a", "a:head", "a.text", "a.b", "a.b.text"]
        assert [leaf.path for leaf in frame_tree().leaves()] == [":tag", "a:head", "a.text", "a.b.text"]

    def test_the_name_is_the_last_step_of_the_path(self) -> None:
        assert [node.name for node in frame_tree().walk()] == ["", ":tag", "a", "a:head", "text", "b", "text"]


class TestFinding:
    def test_prefers_the_whole_path_to_an_ending(self) -> None:
        root = frame_tree()
        by_path = {path: root.find(path) for path in ("a.b.text", "text", "b", "c")}
        found = {path: None if node is None else node.path for path, node in by_path.items()}
        assert found == {"a.b.text": "a.b.text", "text": "a.text", "b": "a.b", "c": None}

    def test_finds_parts_of_the_encoding_only_with_a_colon(self) -> None:
        root = Node("", "frame", 0, 2, children=[Node("a.b:key", "text", 0, 1), Node("a.b", "uint", 1, 2)])
        value, key = root.find("b"), root.find("b:key")
        assert value is not None
        assert key is not None
        assert (value.path, key.path) == ("a.b", "a.b:key")

    def test_at_path_takes_no_ending(self) -> None:
        assert frame_tree().at_path("a.text") is not None
        assert frame_tree().at_path("text") is None

    def test_by_byte(self) -> None:
        found = frame_tree().at(4)
        assert found is not None
        assert found.path == "a.text"
        assert frame_tree().at(106) is None

    def test_the_way_from_the_root(self) -> None:
        root = frame_tree()
        wanted = root.at_path("a.b.text")
        assert wanted is not None
        assert [node.path for node in root.way_to(wanted)] == ["", "a", "a.b", "a.b.text"]
        assert root.way_to(Node("x", "y", 0, 0)) == []


class TestFaults:
    def test_the_first_is_the_one_at_the_lowest_offset(self) -> None:
        root = frame_tree()
        late, earlier = root.first_fault(), root.at_path("a.b")
        assert late is not None
        assert earlier is not None
        assert late.fault_offset == 50
        earlier.fault = "earlier"
        assert root.first_fault() is earlier

    def test_there_may_be_none(self) -> None:
        assert Node("", "Candid", 0, 0).first_fault() is None


class TestJson:
    def test_has_the_documented_members(self) -> None:
        assert Node("a.text", "text(2)", 3, 6, "hi", "a greeting").to_json() == {
            "path": "a.text", "type": "text(2)", "value": "hi", "meaning": "a greeting", "start": 3, "end": 6,
            "leaf": True,
        }  # fmt: skip

    def test_cuts_long_bytes_and_has_the_fault(self) -> None:
        shown = Node("a", "bytes(100)", 6, 106, bytes(100), fault="odd", fault_at=50).to_json()
        assert shown["value"] == "00" * 64 + "…"
        assert (shown["fault"], shown["fault_at"]) == ("odd", 50)
        assert json.loads(json.dumps(shown)) == shown

    def test_numbers_beyond_doubles_are_text(self) -> None:
        assert Node("n", "nat64", 0, 8, 2**63).to_json()["value"] == str(2**63)
        assert Node("n", "nat64", 0, 8, 5).to_json()["value"] == 5

    def test_values_that_json_lacks_are_text(self) -> None:
        assert Node("", "vec", 0, 2, [1, 2]).to_json()["value"] == "[1, 2]"

    def test_floats_that_json_lacks_are_text(self) -> None:
        shown = Node("n", "float", 0, 8, float("inf")).to_json()
        assert json.loads(json.dumps(shown, allow_nan=False))["value"] == "inf"


class TestOneARange:
    def test_the_named_node_is_kept_with_the_fault_of_the_others(self) -> None:
        tag = Node("a.1:tag", "byte", 2, 3, 0, fault="no such tag")
        null = Node("a.2", "null", 3, 3)
        value = Node("a:value", "record", 2, 3, children=[Node("a.1", "opt null", 2, 3, children=[tag]), null])
        root = Node("", "frame", 0, 3, children=[Node(":head", "head", 0, 2), value])
        assert [(n.path, n.start, n.end, n.is_leaf, n.fault) for n in one_a_range(root)] == [
            ("", 0, 3, False, None), (":head", 0, 2, True, None), ("a.1", 2, 3, True, "no such tag"),
            ("a.2", 3, 3, True, None),
        ]  # fmt: skip

    def test_nodes_without_bytes_stand_where_they_are_beside_a_merged_leaf(self) -> None:
        """As of ``record { null; bool; null }``, whose one byte is the record's and the bool's."""
        parts = [Node("a.0", "null", 3, 3), Node("a.1", "bool", 3, 4), Node("a.2", "null", 4, 4)]
        rows = list(one_a_range(Node("", "frame", 3, 4, children=[Node("a", "record", 3, 4, children=parts)])))
        assert [(row.path, row.start, row.end) for row in rows] == [("a.0", 3, 3), ("", 3, 4), ("a.2", 4, 4)]

    def test_nodes_without_bytes_are_all_kept(self) -> None:
        root = Node("", "record", 0, 0, children=[Node("a", "null", 0, 0), Node("b", "null", 0, 0)])
        assert [node.path for node in one_a_range(root)] == ["", "a", "b"]
