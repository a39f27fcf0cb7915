"""Probe a network: is it there, whose key signs, does the clock agree, which endpoints, and does the canister fit.

Every check says what it found and, where something is wrong, what to do. A check that was not made says what is
missing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from icws_explore.analysis.cdk_era import cdk_era
from icws_explore.analysis.doctor.configuration import check_did
from icws_explore.capture.files import shown
from icws_explore.protocol.candid import parse_did
from icws_explore.protocol.certificate import Certificate, check_certificate
from icws_explore.protocol.constants import INGRESS_DRIFT_S, MAINNET_ROOT_KEY, NS_PER_S
from icws_explore.protocol.credentials import shown_url
from icws_explore.protocol.errors import ConnectError, DecodeError, DidError
from icws_explore.protocol.hashtree import Found, lookup
from icws_explore.protocol.keys import bls
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import first_failure, passed
from icws_explore.protocol.wording import hash_text

from ..clock import Clock
from ..http import Network, is_mainnet
from ..target import require_websocket_canister
from .profiles import NetworkProfile

ENDPOINTS: Final = (("call", (2, 3, 4)), ("query", (2, 3)), ("read_state", (2, 3)))
SKEW_LIMIT_S: Final = 5.0  # more than this distorts the ages of certificates and the time-outs
_NEEDS_CANISTER: Final = "give --canister ID, because certificates are read for a canister"
_ANY_AGE_S: Final = 10**9  # the check of the clock judges the age
_BLS_KEY_BYTES: Final = 96


@dataclass(frozen=True, slots=True)
class Check:
    """One check: ``ok`` is None if it was not made. ``advice`` says what to do; "" where nothing is to be done."""

    name: str
    ok: bool | None
    found: str
    advice: str = ""


@dataclass(slots=True)
class NetworkProbe:
    """The result of a probe: the checks in order, and the root key (DER) as far as it is known."""

    network: NetworkProfile
    canister_id: Principal | None
    checks: list[Check] = field(default_factory=list)
    root_key: bytes | None = None

    @property
    def shown_url(self) -> str:
        """The network's URL without credentials."""
        return shown_url(self.network.url)

    @property
    def has_failed(self) -> bool:
        """Whether a check failed."""
        return any(check.ok is False for check in self.checks)

    def add(self, name: str, found: str, *, ok: bool | None = True, advice: str = "") -> None:
        """Append a check."""
        self.checks.append(Check(name, ok, found, advice))


async def probe_network(
    profile: NetworkProfile, *, canister: Principal | None = None, clock: Clock | None = None
) -> NetworkProbe:
    """Probe a network, and a canister on it (None: the profile's). ``clock`` None: the machine's.

    What a network answers never raises: it is a check that failed. Raises ArgumentValueError for a wrong URL.
    """
    probe = NetworkProbe(profile, canister or profile.canister)
    async with Network(profile.url, clock=clock) as network:
        try:
            status = await network.status()
        except ConnectError as error:
            probe.add("status", str(error), ok=False, advice="start the network, or correct its URL")
            return probe
        _check_status(probe, status)
        _check_root_key(probe, network, status.get("root_key"))
        await _check_endpoints(probe, network)
        if probe.canister_id is None:
            for name in ("certificate", "clock", "canister"):
                probe.add(name, "not checked", ok=None, advice=_NEEDS_CANISTER)
            return probe
        certificate = await _check_certificate(probe, network, probe.canister_id)
        if certificate is not None:
            _check_clock(probe, network, certificate)
            if _check_canister(probe, certificate, probe.canister_id):
                await _check_interface(probe, network, probe.canister_id)
                await _check_poll(probe, network, probe.canister_id)
    return probe


def _check_status(probe: NetworkProbe, status: dict[str, Any]) -> None:
    health = status.get("replica_health_status")
    versions = [
        f"{name.removesuffix('_version')} {shown(str(status[name]))}"
        for name in ("ic_api_version", "impl_version")
        if name in status
    ]
    said = "it answers" if health is None else f"it is {shown(str(health))}"
    found = f"{said} ({', '.join(versions)})" if versions else said
    if health in (None, "healthy"):
        probe.add("status", found)
    else:
        probe.add("status", found, ok=False, advice="wait until the replica is healthy, or restart it")


def _check_root_key(probe: NetworkProbe, network: Network, key: object) -> None:
    known = probe.network.root_key or (MAINNET_ROOT_KEY if is_mainnet(network.url) else None)
    probe.root_key = known
    if not isinstance(key, bytes):
        if known is None:
            probe.add("root key", "the status has none", ok=False, advice="is this the URL of a replica?")
        else:
            probe.add("root key", "the known one; the status has none to compare", ok=None)
        return
    try:
        bls.key_from_der(key)
    except DecodeError as error:
        probe.add("root key", f"the status has none that can be used: {error}", ok=False, advice="is this a replica?")
        return
    digest = hash_text(key[-_BLS_KEY_BYTES:])
    if known is None:
        probe.root_key = key
        probe.add("root key", f"{digest}, from the status, and trusted")
    elif known == key:
        probe.add("root key", f"{digest}, the known one")
    else:
        who = "mainnet's" if known == MAINNET_ROOT_KEY else "the one that the profile has"
        advice = "a network that was made anew has a new key: correct the profile; otherwise do not trust this network"
        probe.add("root key", f"the status has {digest}, which is not {who}", ok=False, advice=advice)


async def _check_endpoints(probe: NetworkProbe, network: Network) -> None:
    """An endpoint that exists refuses an empty request with another status than 404."""
    canister_id = probe.canister_id or Principal.MANAGEMENT
    found = []
    for kind, versions in ENDPOINTS:
        has = [version for version in versions if await _has(network, f"/api/v{version}/canister/{canister_id}/{kind}")]
        found.append(f"{kind} {', '.join(f'v{version}' for version in has) or 'none'}")
    text = "; ".join(found)
    if "none" in text:
        advice = "update the replica (dfx, icp-cli, PocketIC), or check the path of the URL"
        probe.add("endpoints", text, ok=False, advice=advice)
    else:
        probe.add("endpoints", text)


async def _has(network: Network, path: str) -> bool:
    try:
        await network.post(path, {})
    except ConnectError as error:
        return error.http_status not in (None, 404, 405)
    return True


async def _check_certificate(probe: NetworkProbe, network: Network, canister_id: Principal) -> Certificate | None:
    """The certificate of the canister's state, checked under the root key, except for its age."""
    paths = [[b"time"], [b"canister", canister_id.raw, b"controllers"], [b"canister", canister_id.raw, b"module_hash"]]
    try:
        raw = await network.read_state(canister_id, paths)
    except ConnectError as error:
        if "not_found" in str(error) or "not found" in str(error).lower():
            _no_canister(probe, canister_id)
            return None
        advice = "a request must not expire: check this machine's clock" if "expir" in str(error) else ""
        probe.add("certificate", str(error), ok=False, advice=advice)
        return None
    if probe.root_key is None:
        probe.add("certificate", "not checked", ok=None, advice="the root key is not known")
        return None
    certificate, steps = check_certificate(
        raw, canister_id=canister_id, root_key=probe.root_key, now_ns=network.clock.now_ns(), max_age_s=_ANY_AGE_S
    )
    authentic = [step for step in steps if step.step != "time"]
    if certificate is None or not passed(authentic):
        failed = first_failure(authentic)
        said = "it cannot be read" if failed is None else f"{failed.step}: {failed.detail}"
        wrong_place = failed is not None and failed.step == "delegation"
        advice = "is the canister on this network? check its id" if wrong_place else "compare the root key"
        probe.add("certificate", said, ok=False, advice=advice)
        return None
    signer = "the root key" if certificate.delegation is None else f"subnet {certificate.delegation.subnet_id.short}"
    probe.add("certificate", f"signed by {signer}, verified under the root key")
    return certificate


def _check_clock(probe: NetworkProbe, network: Network, certificate: Certificate) -> None:
    ahead_s = (network.clock.now_ns() - (certificate.time_ns or 0)) / NS_PER_S
    side = "ahead of" if ahead_s > 0 else "behind"
    found = f"this machine is {abs(ahead_s):.1f} s {side} the network, the answer's way included"
    if abs(ahead_s) <= SKEW_LIMIT_S:
        probe.add("clock", found)
        return
    refused = f"; beyond {INGRESS_DRIFT_S} s requests are refused" if abs(ahead_s) > INGRESS_DRIFT_S else ""
    advice = f"set this machine's clock (NTP), or restart a local network that stood still{refused}"
    probe.add("clock", found, ok=False, advice=advice)


def _check_canister(probe: NetworkProbe, certificate: Certificate, canister_id: Principal) -> bool:
    has_controllers = isinstance(lookup(certificate.tree, (b"canister", canister_id.raw, b"controllers")), Found)
    module = lookup(certificate.tree, (b"canister", canister_id.raw, b"module_hash"))
    if not has_controllers and not isinstance(module, Found):
        _no_canister(probe, canister_id)
        return False
    code = f", its code has the hash {hash_text(module.value)}" if isinstance(module, Found) else ""
    probe.add("canister", f"{canister_id} exists{code}")
    return True


def _no_canister(probe: NetworkProbe, canister_id: Principal) -> None:
    advice = "check the id and the network; a local network that was started anew has lost its canisters"
    probe.add("canister", f"{canister_id} does not exist here", ok=False, advice=advice)


async def _check_interface(probe: NetworkProbe, network: Network, canister_id: Principal) -> None:
    path = [b"canister", canister_id.raw, b"metadata", b"candid:service"]
    try:
        raw = await network.read_state(canister_id, [path])
        certificate, steps = check_certificate(
            raw,
            canister_id=canister_id,
            root_key=probe.root_key or b"",
            now_ns=network.clock.now_ns(),
            max_age_s=_ANY_AGE_S,
        )
        found = None if certificate is None or not passed(steps) else lookup(certificate.tree, path)
    except ConnectError as error:
        found = None
        if error.http_status not in (403, 404):
            probe.add("interface", str(error), ok=False)
            return
    if not isinstance(found, Found):
        advice = "publish it (dfx and icp-cli do; in Rust ic_cdk::export_candid!), or give clients the .did file"
        probe.add("interface", "the canister publishes none, so its methods are not known", ok=None, advice=advice)
        return
    try:
        did = parse_did(found.value.decode("utf-8", "replace"))
    except DidError as error:
        probe.add("interface", f"what it publishes cannot be read: {error}", ok=False, advice="publish a valid .did")
        return
    era = cdk_era(did)
    fits = f"it fits CDK {era.releases}" if era.releases else "it is not that of an IC WebSocket CDK"
    probe.add("interface", f"{fits}: {era.why}", ok=era.is_current, advice="" if era.is_current else era.advice)
    for finding in check_did(did):
        if finding.severity != "info":
            probe.add("interface", finding.explanation, ok=False, advice=finding.fix)


async def _check_poll(probe: NetworkProbe, network: Network, canister_id: Principal) -> None:
    try:
        await require_websocket_canister(network, canister_id)
    except ConnectError as error:
        advice = "deploy a canister that is built with a CDK and runs"
        probe.add("poll", str(error), ok=False, advice=advice)
        return
    probe.add("poll", "ws_get_messages answers, as a gateway asks")
