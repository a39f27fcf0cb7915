"""Finding one's way in a tree, and its JSON."""

import json

from icws_explore.analysis.annotate import Node, one_a_range


def tree():
    text = Node("a.text", "text(2)", 3, 6, "hi")
    blob = Node("a.b.text", "bytes(100)", 6, 106, bytes(100), fault="odd", fault_at=50)
    inner = Node("a.b", "map(1)", 6, 106, children=[blob])
    outer = Node("a", "map(2)", 1, 106, children=[Node("a:head", "head", 1, 3), text, inner])
    return Node("", "frame(106)", 0, 106, children=[Node(":tag", "tag", 0, 1), outer])


class TestFinding:
    def test_by_whole_path_before_its_end(self):
        root = tree()
        assert root.find("a.b.text").type == "bytes(100)"
        assert root.find("text").path == "a.text"
        assert root.find("b").path == "a.b"
        assert root.find("c") is None

    def test_by_byte(self):
        root = tree()
        assert root.at(4).path == "a.text"
        assert root.at(106) is None

    def test_the_way_from_the_root(self):
        root = tree()
        wanted = root.find("a.b.text")
        assert [node.path for node in root.way_to(wanted)] == ["", "a", "a.b", "a.b.text"]
        assert root.way_to(Node("x", "y", 0, 0)) == []

    def test_the_first_fault_by_its_own_offset(self):
        root = tree()
        assert root.first_fault().fault_offset == 50
        root.find("a.b").fault = "earlier"
        assert root.first_fault().path == "a.b"


class TestJson:
    def test_has_the_documented_members(self):
        shown = tree().find("a.text").to_json()
        assert shown == {
            "path": "a.text", "type": "text(2)", "value": "hi", "meaning": "", "start": 3, "end": 6, "leaf": True,
        }  # fmt: skip

    def test_cuts_long_bytes_and_says_faults(self):
        shown = tree().find("a.b.text").to_json()
        assert shown["value"] == "00" * 64 + "…"
        assert (shown["fault"], shown["fault_at"]) == ("odd", 50)
        json.dumps(shown)

    def test_numbers_beyond_doubles_are_text(self):
        assert Node("n", "nat64", 0, 8, 2**63).to_json()["value"] == str(2**63)
        assert Node("n", "nat64", 0, 8, 5).to_json()["value"] == 5

    def test_floats_that_json_lacks_are_text(self):
        assert json.loads(json.dumps(Node("n", "float", 0, 8, float("inf")).to_json(), allow_nan=False))


TREE = Node("", "frame(6)", 0, 6, children=[
    Node(":head", "head", 0, 1),
    Node("a", "map(1)", 1, 6, children=[Node("a.b:key", "text", 1, 3, "b"), Node("a.b", "uint", 3, 6, 2**60, "big")]),
])  # fmt: skip


class TestWalking:
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


class TestOneARange:
    def test_the_named_one_speaks_for_all_and_tells_their_fault(self) -> None:
        tag = Node("a.1:tag", "byte", 2, 3, 0, fault="no such tag")
        null = Node("a.2", "null", 3, 3)
        value = Node("a:value", "record", 2, 3, children=[Node("a.1", "opt null", 2, 3, children=[tag]), null])
        root = Node("", "frame", 0, 3, children=[Node(":head", "head", 0, 2), value])
        assert [(n.path, n.start, n.end, n.is_leaf, n.fault) for n in one_a_range(root)] == [
            ("", 0, 3, False, None), (":head", 0, 2, True, None), ("a.1", 2, 3, True, "no such tag"),
            ("a.2", 3, 3, True, None),
        ]  # fmt: skip

    def test_of_nothing_every_node_stays(self) -> None:
        root = Node("", "record", 0, 0, children=[Node("a", "null", 0, 0), Node("b", "null", 0, 0)])
        assert [node.path for node in one_a_range(root)] == ["", "a", "b"]
