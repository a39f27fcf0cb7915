"""`icws_explore.certificate_card`: a certificate and its witness as trees, the proof's path lit, and the steps."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import resources

from markupsafe import Markup

from icws_explore.protocol import hashtree
from icws_explore.protocol.certificate import Certificate, shown_ranges
from icws_explore.protocol.certificate.delegation import ranges_text
from icws_explore.protocol.certificate.format import key_text, time_text
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import Step

from ..facts import Fact, Subject
from ..html import View, render, style
from ..proof import MAX_FULL, Proof, ProofNode, panels_of, proof_for, proof_tree
from ..rows import elide, one_line
from ..steps import step_rows
from ..text import facts_text, wrap_cells

_TEXT_WIDTH = 100


def certificate_card(
    subject: Subject | bytes,
    number: int | None = None,
    *,
    root_key: bytes | None = None,
    canister_id: Principal | None = None,
    now_ns: int | None = None,
) -> View:
    """The certificate that frame ``number`` of a recording carries, judged at the time of its receipt.

    Of a certificate's bytes: that one, under mainnet's key and at its own time unless told otherwise
    (``root_key`` DER, ``now_ns`` in ns since the epoch). Raises IndexError, and IcwsError for a frame
    without a certificate.
    """
    return proof_view(proof_for(subject, number, root_key=root_key, canister_id=canister_id, now_ns=now_ns))


def proof_view(proof: Proof) -> View:
    """A proof as HTML and as text."""
    trees = [(heading, proof_tree(tree, paths)) for heading, tree, paths in panels_of(proof)]
    heading, weight = card_heading(
        proof.title if proof.message is None else f"certificate of {proof.title}", proof.steps
    )
    facts = proof_facts(proof)
    body = render(
        "certificate_card.html.j2", heading=heading, weight=weight, head_facts=facts, rows=step_rows(proof.steps),
        trees=trees,
    )  # fmt: skip
    lines = [heading, facts_text(facts, width=_TEXT_WIDTH)]
    for title, root in trees:
        lines += ["", title, *tree_lines(root)]
    lines += ["", *steps_lines(proof.steps)]
    text = "\n".join(lines)
    return View(str(render("view.html.j2", style=style() + card_style(), text=text, body=body)), text)


def card_heading(what: str, steps: tuple[Step, ...]) -> tuple[str, str]:
    """The verdict in a line, and how much it weighs."""
    failure = next((step for step in steps if step.ok is False), None)
    if failure is not None:
        return f"✗ {what}: {failure.step} fails", "bad"
    if not steps:
        return f"– {what}: not judged", "note"
    left = [step.step for step in steps if step.ok is None]
    judged = f"{', '.join(left)} not judged, the others hold" if left else f"the {len(steps)} steps hold"
    return f"✓ {what}: {judged}", "good"


def proof_facts(proof: Proof) -> list[Fact]:
    """What the certificate says, in a line each."""
    facts = [Fact("note", proof.note, "note")] if proof.note else []
    if proof.message is not None:
        facts.append(Fact("key", one_line(proof.message.key[:200])))
    if proof.canister_id is not None:
        facts.append(Fact("canister", str(proof.canister_id)))
    certificate = proof.certificate
    if certificate is None:
        return [*facts, Fact("certificate", "cannot be read", "bad")]
    facts.append(Fact("time", _time(certificate)))
    if proof.canister_id is not None:
        data = certificate.canister_data(proof.canister_id)
        shown = elide(data.value, 32) if isinstance(data, hashtree.Found) else "not shown"
        facts.append(Fact("certified_data", shown))
    facts.append(Fact("signature", f"{elide(certificate.signature)}, of root hash {elide(certificate.tree.digest)}"))
    return [*facts, *_delegation_facts(proof, certificate)]


def _time(certificate: Certificate) -> str:
    return "none" if certificate.time_ns is None else time_text(certificate.time_ns)


def _delegation_facts(proof: Proof, certificate: Certificate) -> Iterator[Fact]:
    if certificate.delegation is None:
        yield Fact("delegation", "none: the root key itself must have signed")
        return
    subnet_id = certificate.delegation.subnet_id
    yield Fact("delegation", f"to subnet {subnet_id}")
    if proof.subnet is None:
        yield Fact("subnet's key", "the delegation's certificate cannot be read", "bad")
        return
    key = hashtree.lookup_value(proof.subnet.tree, (b"subnet", subnet_id.raw, b"public_key"))
    yield Fact("subnet's key", "not shown" if key is None else f"{key_text(key)}, certified {_time(proof.subnet)}")
    shown = shown_ranges(proof.subnet.tree, subnet_id, proof.canister_id or Principal.MANAGEMENT)
    if shown.hidden is not None:
        yield Fact("ranges", one_line(shown.hidden), "note")
    else:
        more = "" if len(shown.ranges) <= 5 else f", and {len(shown.ranges) - 5} more"
        yield Fact("ranges", f"{ranges_text(shown.ranges[:5])}{more} ({shown.layout} layout)")


def tree_lines(root: ProofNode) -> list[str]:
    """The tree, indented, with the hash of each node; a lit node is marked ›."""
    lines = []
    stack = [(root, 0)]
    while stack:
        node, depth = stack.pop()
        hash_ = "" if node.kind == "pruned" else f"   # {node.digest[:4].hex()}…"
        lines.append(f"{'›' if node.lit else ' '} {' ' * depth}{node.text or 'fork'}{hash_}")
        stack.extend((child, depth + 1) for child in reversed(node.children))
    return lines


def steps_lines(steps: tuple[Step, ...]) -> Iterator[str]:
    """A line or more a step, as the table of steps says it."""
    for row in step_rows(steps):
        for number, part in enumerate(wrap_cells(row.detail[:MAX_FULL], _TEXT_WIDTH - 20)):
            yield f"{row.mark} {row.name:<17} {part}" if number == 0 else f"{'':<20}{part}"
        for name, side in row.sides:
            yield f"{'':<20}{name:<9}{side.short}"


@cache
def card_style() -> Markup:
    rules = resources.files("icws_explore.views").joinpath("cards.css").read_text(encoding="utf-8")
    return Markup(rules)  # noqa: S704  # our own file
