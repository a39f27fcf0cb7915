from __future__ import annotations

from icws_explore.protocol.candid import CandidNode


def tree() -> CandidNode:
    left = CandidNode(
        "a",
        "record",
        0,
        3,
        children=[CandidNode("a.x", "nat", 0, 1, 5), CandidNode("a.y", "nat", 1, 3, 6, fault="odd")],
    )
    return CandidNode("", "Candid", 0, 4, children=[left, CandidNode("b", "bool", 3, 4, True)])


class TestNode:
    def test_walks_in_the_order_of_the_bytes(self) -> None:
        assert [node.path for node in tree().walk()] == ["", "a", "a.x", "a.y", "b"]
        assert [node.path for node in tree().leaves()] == ["a.x", "a.y", "b"]

    def test_finds(self) -> None:
        found = tree().find("a.y")
        assert found is not None
        assert found.value == 6
        assert tree().find("y") is None

    def test_first_fault(self) -> None:
        found = tree().first_fault()
        assert found is not None
        assert found.path == "a.y"
        assert CandidNode("", "Candid", 0, 0).first_fault() is None
