from __future__ import annotations

from dataclasses import replace

import pytest

import icws_explore as icws
from icws_explore.analysis.recording import Recording
from icws_explore.protocol import hashtree
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.protocol.hashtree import build
from icws_explore.protocol.messages import CanisterMessage
from icws_explore.views.html import View
from icws_explore.views.proof import proof_for, proof_tree
from icws_explore.views.steps import step_rows
from support.markup import Markup
from support.proofs import HOSTILE_TEXT, frame_of, mainnet, simulated, with_frame

SVG = {"svg", "g", "path", "defs", "use", "metadata", "clippath", "rect"}
HARMLESS = {
    "div", "style", "pre", "dl", "dt", "dd", "table", "thead", "tbody", "tr", "th", "td", "span", "details", "summary",
    "section", "h5", "code", "p", "ul", "ol", "li", "br", "figure", *SVG,
}  # fmt: skip


def hostile() -> tuple[Recording, int]:
    """Markup in the key, in the labels and in the values of the witness."""
    recording = simulated()
    number = frame_of(recording, "app")
    original = recording[number].canister_message
    assert original is not None
    label = HOSTILE_TEXT.encode()
    tree = build({b"websocket": {label: label, b"</code></details>": {b"status": b"<b>"}}})
    message = CanisterMessage(HOSTILE_TEXT, label, original.cert, hashtree.encode(tree))
    return with_frame(recording, number, replace(recording.raw.frames[number], data=message.encode())), number


CARDS = {
    "message": lambda: (simulated(), frame_of(simulated(), "app")),
    "hostile": hostile,
    "mainnet": lambda: (mainnet()[0], None),
    "garbage": lambda: (b"<script>", None),
}


def words(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("name", CARDS)
class TestAnyCard:
    def card(self, name: str) -> View:
        return icws.certificate_card(*CARDS[name]())

    def test_contains_nothing_active(self, name: str) -> None:
        page = Markup(self.card(name).html)
        assert page.tags <= HARMLESS
        assert page.handlers == []
        assert 'href="http' not in self.card(name).html

    def test_contains_its_text_twin(self, name: str) -> None:
        view = self.card(name)
        assert Markup(view.html).twin == view.text == repr(view)

    def test_says_the_same_in_both(self, name: str) -> None:
        view, proof = self.card(name), proof_for(*CARDS[name]())
        seen, twin = words(Markup(view.html).text), words(view.text)
        parts = [part for row in step_rows(proof.steps) for part in (row.mark, row.name, row.detail)]
        parts += [title for title, _, _ in proof.trees]
        assert [part for part in parts if words(part) not in seen] == []
        assert [part for part in parts if words(part) not in twin] == []


class TestTrees:
    def test_are_drawn(self) -> None:
        view = icws.certificate_card(*CARDS["message"]())
        page = Markup(view.html)
        assert "svg" in page.tags
        assert page.attributes("aria-label") == [
            "Delegation: certified by the root key; Certificate: the subnet's state tree; "
            "Witness: the canister's tree of messages"
        ]

    def test_list_every_node_with_its_hash_on_demand(self) -> None:
        proof = proof_for(*CARDS["message"]())
        page = Markup(icws.certificate_card(*CARDS["message"]()).html)
        nodes = [node for _, tree, paths in proof.trees for node in proof_tree(tree, paths).walk()]
        assert page.count("icws-digest") == sum(node.kind != "pruned" for node in nodes)
        assert page.count("icws-lit") == sum(node.lit for node in nodes)
        for node in nodes:
            assert node.digest.hex() in page.text
            assert words(node.full) in words(page.text)

    def test_are_in_the_text_too(self) -> None:
        text = icws.certificate_card(*CARDS["message"]()).text
        assert "› " in text
        assert "certified_data" in text


class TestVerdict:
    def test_is_the_first_line(self) -> None:
        assert str(icws.certificate_card(mainnet()[0])).startswith("✓ certificate: all 4 steps passed")
        wrong = icws.certificate_card(*CARDS["message"](), root_key=MAINNET_ROOT_KEY)
        assert repr(wrong).splitlines()[0].endswith("delegation failed")

    def test_of_mainnet_long_after_fails_at_time(self) -> None:
        late = icws.certificate_card(mainnet()[0], now_ns=1_795_000_000 * 10**9)
        assert repr(late).splitlines()[0] == "✗ certificate: time failed"


class TestHostileSizes:
    def test_a_huge_key_and_a_huge_witness_give_a_bounded_card(self) -> None:
        recording = simulated()
        number = frame_of(recording, "app")
        original = recording[number].canister_message
        assert original is not None
        labels = {b"%05d" % n: b"v" for n in range(20_000)}
        tree = hashtree.encode(build({b"websocket": {**labels, b"x" * 300_000: b"y" * 300_000}}))
        for witness in (original.tree, tree):
            message = CanisterMessage("k" * 300_000, b"", original.cert, witness)
            changed = with_frame(recording, number, replace(recording.raw.frames[number], data=message.encode()))
            view = icws.certificate_card(changed, number)
            assert len(view.html) < 2_000_000
            assert len(icws.plots.chain(changed, number).description) < 20_000
            assert len(icws.plots.hash_tree(changed, number).description) < 20_000
