"""The lab's subnet: its keys, its node, its range of canister ids, and what the state tree says of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from icws_explore.protocol import cbor
from icws_explore.protocol.canister import CanisterHost
from icws_explore.protocol.certificate import CertificateIssuer, Layout, SigningKey, encode_ranges
from icws_explore.protocol.hashtree import Nested, Path
from icws_explore.protocol.keys.bls import SecretKey
from icws_explore.protocol.principal import Principal

from .keys import CANISTER_RANGE, LabKeys
from .state_tree import StateTree


class Subnet:
    """One subnet of one node, and its certified state.

    Its certificates carry a delegation by the root key; with ``delegated`` False the root key itself
    signs them, as on the root subnet.
    """

    def __init__(
        self, keys: LabKeys, *, delegated: bool, make_key: Callable[[int | bytes], SigningKey] = SecretKey
    ) -> None:
        """``make_key`` makes the keys that sign certificates (see CertificateIssuer)."""
        self.node = keys.identity("node")
        self._issuers: Mapping[Layout, CertificateIssuer] = {
            "classic": _issuer(keys, "classic" if delegated else None, make_key),
            "sharded": _issuer(keys, "sharded" if delegated else None, make_key),
        }
        key = make_key(keys.secret("subnet" if delegated else "root"))
        self.state = StateTree(*self._content(key.public_key_der))

    @property
    def root_key(self) -> bytes:
        """The network's root key, DER."""
        return self._issuers["classic"].root_key_der

    @property
    def root_id(self) -> Principal:
        """The root subnet's id."""
        return self._issuers["classic"].root_subnet_id

    @property
    def id(self) -> Principal:
        """This subnet's id."""
        return self._issuers["classic"].subnet_id

    def certify(self, paths: Iterable[Path], layout: Layout, now_ns: int) -> bytes:
        """The certificate for ``paths`` of the state as it is now."""
        self.state.time_ns = now_ns
        return self._issuers[layout].certify(self.state.witness(paths))

    def _content(self, public_key_der: bytes) -> tuple[dict[bytes, Nested], dict[bytes, Nested]]:
        """What stands below /subnet and /canister_ranges."""
        ranges = encode_ranges([CANISTER_RANGE])
        this: dict[bytes, Nested] = {
            b"public_key": public_key_der,
            b"canister_ranges": ranges,
            b"type": b"application",
            b"node": {self.node.principal.raw: {b"public_key": self.node.public_key_der}},
        }
        return {self.id.raw: this}, {self.id.raw: {CANISTER_RANGE[0].raw: ranges}}


def canister_content(host: CanisterHost) -> dict[bytes, Nested]:
    """What stands below /canister/<id>."""
    content: dict[bytes, Nested] = {
        b"certified_data": host.certified_data,
        b"controllers": cbor.dumps([], tagged=True),
    }
    if host.candid_interface:
        content[b"metadata"] = {b"candid:service": host.candid_interface.encode()}
    return content


def _issuer(keys: LabKeys, layout: Layout | None, make_key: Callable[[int | bytes], SigningKey]) -> CertificateIssuer:
    secrets = keys.secret("root"), keys.secret("subnet")
    return CertificateIssuer(*secrets, [CANISTER_RANGE], layout, make_key=make_key)
