"""The tree of fields: finding, walking, and its JSON."""

import json

from icws_explore.analysis.annotate import Node

TREE = Node("", "frame(6)", 0, 6, children=[
    Node(":head", "head", 0, 1),
    Node("a", "map(1)", 1, 6, children=[Node("a.b:key", "text", 1, 3, "b"), Node("a.b", "uint", 3, 6, 2**60, "big")]),
])  # fmt: skip


class TestNode:
    def test_walks_in_the_order_of_the_bytes(self):
        assert [node.path for node in TREE.walk()] == ["", ":head", "a", "a.b:key", "a.b"]
        assert [leaf.path for leaf in TREE.leaves()] == [":head", "a.b:key", "a.b"]

    def test_finds_by_whole_or_last_path_and_by_byte(self):
        assert TREE.find("a.b") is TREE.find("b")
        assert TREE.find("nothing") is None
        assert TREE.at(4).path == "a.b"
        assert TREE.at(6) is None

    def test_its_name_is_the_end_of_its_path(self):
        assert [node.name for node in TREE.walk()] == ["", ":head", "a", "b:key", "b"]

    def test_the_first_fault_is_the_lowest(self):
        assert TREE.first_fault() is None
        late, early = Node("x", "bytes", 5, 6, fault="late"), Node("y", "bytes", 2, 3, fault="early")
        assert Node("", "frame", 0, 6, children=[late, early]).first_fault() is early

    def test_json_keeps_big_numbers_and_cuts_long_bytes(self):
        assert json.loads(json.dumps(TREE.find("b").to_json())) == {
            "path": "a.b", "type": "uint", "value": str(2**60), "meaning": "big", "start": 3, "end": 6, "leaf": True,
        }  # fmt: skip
        shown = Node("x", "bytes", 0, 100, b"\x01" * 100, fault="why").to_json()
        assert shown["value"] == "01" * 64 + "…"
        assert shown["fault"] == "why"
