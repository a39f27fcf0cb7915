"""`icws_explore.certificate_card`: a certificate with its hash trees and the steps of its verification."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Final

from markupsafe import Markup

from icws_explore.protocol import hashtree
from icws_explore.protocol.certificate import Certificate, shown_ranges
from icws_explore.protocol.certificate.delegation import ranges_text
from icws_explore.protocol.certificate.format import key_text
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.wording import time_text

from ..facts import Fact
from ..formatting import elide, one_line
from ..html import TEXT_WIDTH, View, render, view_of
from ..proof import MAX_FULL, Proof, ProofNode, proof_for, proof_tree, tree_text
from ..source import RecordingLike
from ..steps import step_rows, steps_heading
from ..text import facts_lines, plain, step_rows_lines

_MAX_RANGES: Final = 5


def certificate_card(
    recording: RecordingLike | bytes,
    number: int | None = None,
    *,
    root_key: bytes | None = None,
    canister_id: Principal | None = None,
    now_ns: int | None = None,
) -> View:
    """Show the certificate in frame ``number`` of a recording, verified at the time of its receipt.

    ``recording`` may also be the bytes of a certificate. It is verified with mainnet's root key at the time when it was
    made, unless ``root_key`` (DER) and ``now_ns`` (ns since the epoch) are given. Raises IndexError, and IcwsError for
    a frame without a certificate.
    """
    return proof_view(proof_for(recording, number, root_key=root_key, canister_id=canister_id, now_ns=now_ns))


def proof_view(proof: Proof) -> View:
    """A proof as HTML and as text."""
    from ..figures.hash_tree import hash_tree_figure

    heading, weight = steps_heading(
        proof.title if proof.message is None else f"certificate of {proof.title}", proof.steps
    )
    facts = list(_facts(proof))
    trees = [(title, proof_tree(tree, paths)) for title, tree, paths in proof.trees]
    drawing = hash_tree_figure(proof.trees).inline_svg(secrets.token_hex(8)) if trees else ""
    body = render(
        "certificate_card.html.j2", heading=heading, weight=weight, head_facts=facts, rows=step_rows(proof.steps),
        drawing=Markup(drawing),  # noqa: S704  # drawn by matplotlib, which turns text into paths
        trees=[(title, list(_nodes(root))) for title, root in trees],
        described="; ".join(title for title, _ in trees),
    )  # fmt: skip
    lines = [heading, plain(facts_lines(facts, width=TEXT_WIDTH))]
    for title, root in trees:
        lines += ["", title, tree_text(root, digests=True)]
    lines += ["", plain(step_rows_lines(step_rows(proof.steps), width=TEXT_WIDTH))]
    return view_of(body, "\n".join(lines), "cards.css")


def _nodes(root: ProofNode) -> Iterator[tuple[int, ProofNode]]:
    """Every node below the root with its depth, in the order in which it is drawn."""
    stack = [(root, 0)]
    while stack:
        node, depth = stack.pop()
        yield depth, node
        stack.extend((child, depth + 1) for child in reversed(node.children))


def _facts(proof: Proof) -> Iterator[Fact]:
    if proof.note:
        yield Fact("note", proof.note, "note")
    if proof.message is not None:
        yield Fact("key", one_line(proof.message.key[:MAX_FULL]))
    if proof.canister_id is not None:
        yield Fact("canister", str(proof.canister_id))
    certificate = proof.certificate
    if certificate is None:
        yield Fact("certificate", "cannot be read", "bad")
        return
    yield Fact("time", _time(certificate))
    if proof.canister_id is not None:
        data = certificate.canister_data(proof.canister_id)
        yield Fact("certified_data", elide(data.value, 32) if isinstance(data, hashtree.Found) else "not shown")
    yield Fact("signature", f"{elide(certificate.signature)} of root hash {elide(certificate.tree.digest)}")
    yield from _delegation_facts(proof, certificate)


def _time(certificate: Certificate) -> str:
    return "none" if certificate.time_ns is None else time_text(certificate.time_ns)


def _delegation_facts(proof: Proof, certificate: Certificate) -> Iterator[Fact]:
    if certificate.delegation is None:
        yield Fact("delegation", "none, so the root key must have signed")
        return
    subnet_id = certificate.delegation.subnet_id
    yield Fact("delegation", f"to subnet {subnet_id}")
    if proof.subnet is None:
        yield Fact("subnet key", "unknown: the delegation's certificate cannot be read", "bad")
        return
    key = hashtree.lookup_value(proof.subnet.tree, (b"subnet", subnet_id.raw, b"public_key"))
    yield Fact("subnet key", "not shown" if key is None else f"{key_text(key)}, certified {_time(proof.subnet)}")
    shown = shown_ranges(proof.subnet.tree, subnet_id, proof.canister_id or Principal.MANAGEMENT)
    if shown.hidden is not None:
        yield Fact("canister ranges", one_line(shown.hidden), "note")
    else:
        more = "" if len(shown.ranges) <= _MAX_RANGES else f", and {len(shown.ranges) - _MAX_RANGES} more"
        yield Fact("canister ranges", f"{ranges_text(shown.ranges[:_MAX_RANGES])}{more} ({shown.layout} layout)")
