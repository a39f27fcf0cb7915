from __future__ import annotations

import numpy as np
import pytest

from icws_explore.protocol import hashtree
from icws_explore.protocol.hashtree import build, prune
from icws_explore.views.figures.tree import LIT, tree_figure, tree_text
from icws_explore.views.proof import panels_of, proof_of_certificate, proof_of_frame, proof_tree
from support.overlaps import beyond_the_paper, overlapping, words
from support.proofs import frame_of, mainnet, simulated

DEEP = prune(build({f"{n:064b}".encode(): b"value" for n in range(0, 4000, 7)}), [(f"{1001:064b}".encode(),)])
PANELS = {
    "mainnet": lambda: panels_of(proof_of_certificate(mainnet()[0])),
    "message": lambda: panels_of(proof_of_frame(simulated(), frame_of(simulated(), "app"))),
    "deep": lambda: [("deep", DEEP, [path for path, _ in hashtree.leaves(DEEP)])],
    "markup": lambda: [("<b>$x_1$</b>", build({b"<script>": b"$", b"$\\frac{": {b"$": b""}}), [(b"<script>",)])],
}


@pytest.mark.parametrize("name", PANELS)
class TestAnyTree:
    def test_no_words_lie_on_each_other_or_leave_the_paper(self, name: str) -> None:
        figure = tree_figure(PANELS[name]())
        assert overlapping(figure) == []
        assert beyond_the_paper(figure) == []

    def test_says_the_same_in_words(self, name: str) -> None:
        figure = tree_figure(PANELS[name]())
        for heading, tree, paths in PANELS[name]():
            assert heading in figure.description
            drawn = {text for text, _ in words(figure)}
            assert {node.text for node in proof_tree(tree, paths).walk() if node.text} <= drawn
            assert tree_text(proof_tree(tree, paths)) in figure.description


class TestLit:
    def test_is_thicker_as_well_as_coloured(self) -> None:
        (axes,) = tree_figure(PANELS["mainnet"]()).axes
        lit = {line.get_linewidth() for line in axes.lines if line.get_color() == LIT and line.get_marker() == "None"}
        others = {
            line.get_linewidth() for line in axes.lines if line.get_color() != LIT and line.get_marker() == "None"
        }
        assert min(lit) > 2 * max(others)

    def test_stands_out_in_greyscale(self) -> None:
        red, green, blue = (int(LIT[i : i + 2], 16) for i in (1, 3, 5))
        assert np.dot([red, green, blue], [0.299, 0.587, 0.114]) < 110


class TestText:
    def test_marks_the_way(self) -> None:
        tree = build({b"a": b"1", b"b": b"2"})
        assert tree_text(proof_tree(tree, [(b"b",)])) == "› ┬\n    a\n      0x31\n›   b\n›     0x32"
