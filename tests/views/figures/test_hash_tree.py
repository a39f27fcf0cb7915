from __future__ import annotations

import numpy as np
import pytest

from icws_explore.protocol import hashtree
from icws_explore.protocol.hashtree import build, prune
from icws_explore.views.figures.hash_tree import LIT, hash_tree_figure
from icws_explore.views.proof import proof_of_certificate, proof_of_frame, proof_tree, tree_text
from support.overlaps import beyond_the_paper, overlapping, words
from support.proofs import frame_of, mainnet, simulated

DEEP = prune(build({f"{n:064b}".encode(): b"value" for n in range(0, 4000, 7)}), [(f"{1001:064b}".encode(),)])
TREES = {
    "mainnet": lambda: proof_of_certificate(mainnet()[0]).trees,
    "message": lambda: proof_of_frame(simulated(), frame_of(simulated(), "app")).trees,
    "deep": lambda: [("deep", DEEP, [path for path, _ in hashtree.leaves(DEEP)])],
    "markup": lambda: [("<b>$x_1$</b>", build({b"<script>": b"$", b"$\\frac{": {b"$": b""}}), [(b"<script>",)])],
}


@pytest.mark.parametrize("name", TREES)
class TestAnyTree:
    def test_labels_do_not_overlap_or_leave_the_paper(self, name: str) -> None:
        figure = hash_tree_figure(TREES[name]())
        assert overlapping(figure) == []
        assert beyond_the_paper(figure) == []

    def test_says_the_same_in_words(self, name: str) -> None:
        figure = hash_tree_figure(TREES[name]())
        for heading, tree, paths in TREES[name]():
            assert heading in figure.description
            drawn = {text for text, _ in words(figure)}
            assert {node.text for node in proof_tree(tree, paths).walk() if node.text} <= drawn
            assert tree_text(proof_tree(tree, paths)) in figure.description


class TestLegend:
    def test_tells_only_of_a_proof_what_is_needed(self) -> None:
        tree = build({b"fruit": {b"apple": b"red", b"plum": b"blue"}})
        for paths, tells in (([], False), ([(b"fruit", b"plum")], True)):
            drawn = {text for text, _ in words(hash_tree_figure([("a tree", tree, paths)]))}
            assert ("shown, but not needed" in drawn) == tells


class TestLit:
    def test_is_thicker_as_well_as_coloured(self) -> None:
        (axes,) = hash_tree_figure(TREES["mainnet"]()).axes
        lit = {line.get_linewidth() for line in axes.lines if line.get_color() == LIT and line.get_marker() == "None"}
        others = {
            line.get_linewidth() for line in axes.lines if line.get_color() != LIT and line.get_marker() == "None"
        }
        assert min(lit) > 2 * max(others)

    def test_stands_out_in_greyscale(self) -> None:
        red, green, blue = (int(LIT[i : i + 2], 16) for i in (1, 3, 5))
        assert np.dot([red, green, blue], [0.299, 0.587, 0.114]) < 110
