"""Checking the delegations of an envelope, link by link from the root key to the session key.

Source: interface specification, "Authentication" (sender_delegation), and the replica's
ingress_validation.rs: at most 20 links and 1000 targets, no key twice, an expiration of this very
instant still counts.
"""

from __future__ import annotations

from dataclasses import replace

from ..keys.delegation import MAX_LINKS, MAX_TARGETS, SignedDelegation
from ..keys.public_keys import verify_signature
from ..principal import Principal
from ..steps import Step
from .durations import duration_text
from .envelope import Envelope

_STEP = "delegation"


def check_links(
    envelope: Envelope, *, now_ns: int, canister_id: Principal | None, root_key: bytes | None
) -> list[Step]:
    """One step for each link; a single step where there are none, or where they cannot be walked."""
    links = envelope.sender_delegation or ()
    signer = envelope.sender_pubkey
    if not links:
        return [Step(_STEP, True, "no delegation: the sender's own key signs")]
    if signer is None:
        return [Step(_STEP, False, "delegations without sender_pubkey, the key that they start from")]
    if len(links) > MAX_LINKS:
        return [Step(_STEP, False, f"{len(links)} links are more than the {MAX_LINKS} that a replica takes")]
    steps = []
    seen = {signer}
    for number, link in enumerate(links, 1):
        key = link.delegation.pubkey
        step = _link(link, signer, now_ns, canister_id, root_key)
        if key in seen:
            step = Step(_STEP, False, "goes back to a key that the chain has already been at", actual=key)
        steps.append(replace(step, detail=f"link {number} of {len(links)}: {step.detail}"))
        seen.add(key)
        signer = key
    return steps


def _link(
    link: SignedDelegation, signer: bytes, now_ns: int, canister_id: Principal | None, root_key: bytes | None
) -> Step:
    delegation = link.delegation
    # The signature comes first: of a forged link nothing else is worth reading.
    verdict = verify_signature(signer, delegation.signed_bytes, link.signature, root_key=root_key)
    if verdict.ok is False:
        return Step(_STEP, False, verdict.detail, delegation.signed_bytes, link.signature)
    left_ns = delegation.expiration_ns - now_ns
    if left_ns < 0:
        detail = f"expired {duration_text(-left_ns)} ago; log in again"
        return Step(_STEP, False, detail, f"at least {now_ns} ns", f"{delegation.expiration_ns} ns")
    targets = delegation.targets
    if targets is None:
        where = "all canisters"
    elif len(targets) > MAX_TARGETS:
        return Step(_STEP, False, f"{len(targets)} targets are more than the {MAX_TARGETS} that a replica takes")
    elif canister_id is not None and canister_id not in targets:
        where = ", ".join(str(target) for target in targets[:5]) or "no canister"
        detail = f"it is for {where}, not for {canister_id}"
        return Step(_STEP, False, detail, str(canister_id), where)
    else:
        where = "1 canister" if len(targets) == 1 else f"{len(targets)} canisters"
    detail = f"{verdict.detail}; for {where}, for another {duration_text(left_ns)}"
    return Step(_STEP, verdict.ok, detail, delegation.signed_bytes, link.signature)
