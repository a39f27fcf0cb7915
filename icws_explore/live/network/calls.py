"""Queries and update calls over HTTP, of which only authentic outcomes are returned.

`Caller` sends a call to the newest endpoint that a network has (v4, v3, v2) and a query to v3 or v2. An update's
outcome is taken from a certificate. A query's answer must be signed by a node of the canister's subnet. The lower
layers check: `protocol.certificate`.

Sources: interface specification, "HTTPS interface"; @dfinity/agent 2.4.1 and @icp-sdk/core (falling back from an
endpoint that answers 404 to the one before).
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from icws_explore.protocol.certificate import Certificate, check_certificate
from icws_explore.protocol.certificate.answers import CallStatus, call_status, check_query_answer, node_keys
from icws_explore.protocol.constants import MAX_CERTIFICATE_AGE_S
from icws_explore.protocol.envelope import call_content, ingress_expiry_ns, query_content
from icws_explore.protocol.errors import CallRejectedError, ConnectError, MessageError, VerificationError
from icws_explore.protocol.hashtree import lookup_value
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.request_id import request_id
from icws_explore.protocol.steps import Step, first_failure, passed

from ..http import Network

CALL_VERSIONS: Final = (4, 3, 2)
QUERY_VERSIONS: Final = (3, 2)
FIRST_POLL_S: Final = 0.5  # seconds of protocol time until the outcome of an accepted call is asked for
SLOWEST_POLL_S: Final = 5.0
_POLL_FACTOR: Final = 1.3
_NO_SUCH_ENDPOINT: Final = 404


@dataclass(frozen=True, slots=True)
class Answer:
    """An authentic answer to a call, and how that was established.

    ``kind`` is "query" or "update", ``version`` that of the endpoint which answered, ``request_id`` the 32 bytes of
    the request. ``reply`` is Candid. ``steps`` are the checks of the certificate (update) or of the signature (query);
    they are empty for a query whose signature was not to be checked.
    """

    kind: Literal["query", "update"]
    method: str
    version: int
    request_id: bytes
    reply: bytes
    steps: tuple[Step, ...]


class Caller:
    """Sends calls to one canister under the identity of an open ``network``, and verifies what comes back.

    ``root_key`` is DER. ``call_version`` and ``query_version`` fix the version of an endpoint; None: the newest that
    the network has. ``verify_queries`` False accepts queries' answers unverified.
    """

    def __init__(
        self,
        canister_id: Principal,
        root_key: bytes,
        *,
        call_version: int | None = None,
        query_version: int | None = None,
        verify_queries: bool = True,
    ) -> None:
        self.canister_id = canister_id
        self.root_key = root_key
        self._call_versions: tuple[int, ...] = CALL_VERSIONS if call_version is None else (call_version,)
        self._query_versions: tuple[int, ...] = QUERY_VERSIONS if query_version is None else (query_version,)
        self._verify_queries = verify_queries
        self._node_keys: dict[bytes, bytes] = {}

    async def query(self, network: Network, method: str, arg: bytes) -> Answer:
        """Query ``method`` with ``arg`` (Candid).

        Raises CallRejectedError for a reject, VerificationError for an answer that is not authentic, and ConnectError.
        """
        content = query_content(
            self.canister_id, method, arg, network.identity.principal, ingress_expiry_ns(network.clock.now_ns())
        )
        of_request = request_id(content)

        async def send(version: int) -> dict[str, Any]:
            return await network.post(f"/api/v{version}/canister/{self.canister_id}/query", content)

        self._query_versions, answer = await _newest(self._query_versions, send)
        steps = await self._check_query(network, method, answer, of_request) if self._verify_queries else []
        match answer:
            case {"status": "replied", "reply": {"arg": bytes(reply)}}:
                return Answer("query", method, self._query_versions[0], of_request, reply, tuple(steps))
            case {"status": "rejected", "reject_code": int(code)}:
                raise _rejected(method, code, answer, verified=self._verify_queries)
        raise ConnectError(f"{network.url} answered a query with neither a reply nor a rejection")

    async def _check_query(
        self, network: Network, method: str, answer: dict[str, Any], of_request: bytes
    ) -> list[Step]:
        if not self._node_keys:
            certificate, _ = await self._read_state(network, [[b"subnet"]])
            self._node_keys = node_keys(certificate, self.root_key)
        steps = check_query_answer(answer, of_request, self._node_keys, now_ns=network.clock.now_ns())
        if not passed(steps):
            self._node_keys = {}  # nodes change; the next query reads them anew
            raise _not_authentic(f"the answer to the query {method}", steps)
        return steps

    async def update(self, network: Network, method: str, arg: bytes) -> Answer:
        """Call ``method`` with ``arg`` (Candid) and wait for its outcome, until the call expires after four minutes.

        Raises as `query` does, and ConnectError if the network forgot the call or did not execute it in time.
        """
        expires_ns = ingress_expiry_ns(network.clock.now_ns())
        content = call_content(
            self.canister_id, method, arg, network.identity.principal, expires_ns, secrets.token_bytes(16)
        )
        of_request = request_id(content)

        async def send(version: int) -> dict[str, Any]:
            return await network.post(f"/api/v{version}/canister/{self.canister_id}/call", content)

        with network.clock.passing():
            self._call_versions, answer = await _newest(self._call_versions, send)
            match answer:
                case {"reject_code": int(code)}:  # before the call was accepted; no certificate exists
                    raise _rejected(method, code, answer, verified=False)
                case {"certificate": bytes(raw)}:
                    certificate, steps = self._checked(network, raw)
                    status = _status_in(certificate, of_request)
                case _:
                    status, steps = CallStatus("unknown"), []
            if status.status not in ("replied", "rejected", "done"):
                status, steps = await self._poll(network, method, of_request, expires_ns)
        if status.status == "rejected":
            raise _rejected(method, status.reject_code, status, verified=True)
        if status.status == "done":
            raise ConnectError(f"{network.url} executed {method}, but does not have its outcome any more")
        return Answer("update", method, self._call_versions[0], of_request, status.reply, tuple(steps))

    async def _poll(
        self, network: Network, method: str, of_request: bytes, expires_ns: int
    ) -> tuple[CallStatus, list[Step]]:
        """Ask for the outcome until there is one, or the call has expired and was never executed."""
        wait_s = FIRST_POLL_S
        while True:
            has_expired = network.clock.now_ns() > expires_ns
            certificate, steps = await self._read_state(network, [[b"request_status", of_request]])
            status = _status_in(certificate, of_request)
            if status.status in ("replied", "rejected", "done"):
                return status, steps
            if has_expired:
                raise ConnectError(f"{network.url} did not execute {method} before the call expired; call it again")
            await network.clock.sleep(wait_s)
            wait_s = min(wait_s * _POLL_FACTOR, SLOWEST_POLL_S)

    async def read_metadata(self, network: Network, name: str) -> bytes | None:
        """Return a public metadata section of the canister, such as "candid:service"; None if there is none.

        Raises VerificationError and ConnectError.
        """
        path = [b"canister", self.canister_id.raw, b"metadata", name.encode()]
        certificate, _ = await self._read_state(network, [path])
        return lookup_value(certificate.tree, path)

    async def _read_state(self, network: Network, paths: list[list[bytes]]) -> tuple[Certificate, list[Step]]:
        version = 3 if self._call_versions[0] == CALL_VERSIONS[0] else 2

        async def send(version: int) -> dict[str, Any]:
            return {"certificate": await network.read_state(self.canister_id, paths, version=version)}

        _, answer = await _newest((3, 2) if version == 3 else (2,), send)
        return self._checked(network, answer["certificate"])

    def _checked(self, network: Network, raw: bytes) -> tuple[Certificate, list[Step]]:
        certificate, steps = check_certificate(
            raw,
            canister_id=self.canister_id,
            root_key=self.root_key,
            now_ns=network.clock.now_ns(),
            max_age_s=MAX_CERTIFICATE_AGE_S,
        )
        if certificate is None or not passed(steps):
            raise _not_authentic(f"the certificate of {network.url}", steps)
        return certificate, steps


async def _newest(
    versions: tuple[int, ...], send: Callable[[int], Awaitable[dict[str, Any]]]
) -> tuple[tuple[int, ...], dict[str, Any]]:
    """Send to the first of ``versions`` that the network has. Returns the versions from that one on, and the answer."""
    for number, version in enumerate(versions):
        try:
            return versions[number:], await send(version)
        except ConnectError as error:
            if error.http_status != _NO_SUCH_ENDPOINT or version == versions[-1]:
                raise
    raise AssertionError("no version to try")


def _status_in(certificate: Certificate, of_request: bytes) -> CallStatus:
    try:
        return call_status(certificate.tree, of_request)
    except MessageError as error:
        raise VerificationError(str(error)) from error


def _rejected(method: str, code: int, fields: dict[str, Any] | CallStatus, *, verified: bool) -> CallRejectedError:
    if isinstance(fields, CallStatus):
        return CallRejectedError(method, code, fields.reject_message, fields.error_code, verified=verified)
    message, error_code = fields.get("reject_message"), fields.get("error_code")
    return CallRejectedError(method, code, str(message or ""), str(error_code or ""), verified=verified)


def _not_authentic(what: str, steps: list[Step]) -> VerificationError:
    failed = first_failure(steps)
    why = "it could not be checked" if failed is None else f"{failed.step}: {failed.detail}"
    return VerificationError(f"{what} is not authentic, so it was not used; {why}", steps)
