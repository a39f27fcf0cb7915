"""Calls by name against a lab, over HTTP: each endpoint, each outcome, and networks that lie."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from ic.agent import Agent
from ic.client import Client
from ic.identity import Identity as IcPyIdentity

import icws_explore as icws
from icws_explore.lab import Lab
from icws_explore.lab.lab import network_of
from icws_explore.lab.replica.subnet import FIRST_CANISTER, canister_principal
from icws_explore.protocol import cbor
from icws_explore.protocol.canister import AppCanister
from icws_explore.protocol.errors import (
    ArgumentTypeError,
    ArgumentValueError,
    CallRejectedError,
    ConnectError,
    DidError,
    StateError,
    ValueMismatchError,
    VerificationError,
)
from icws_explore.protocol.keys import Ed25519Identity
from support.servers import http_server

NOTES = """
MESSAGE_TYPE = "record { text : text }"
METHODS = {
    "history": "(nat32) -> (vec record { who : principal; text : text }) query",
    "add": "(text) -> (nat)",
    "swap": "(nat, text) -> (text, nat) query",
    "reset": "() -> ()",
    "whoami": "() -> (principal) query",
    "fail": "() -> () query",
    "lie": "() -> (text) query",
}

def on_message(context, client, message):
    add(context, client, message["text"])

def add(context, caller, text):
    context.state.setdefault("notes", []).append({"who": caller, "text": text})
    return len(context.state["notes"])

def history(context, caller, limit):
    return context.state.get("notes", [])[-limit:]

def swap(context, caller, number, text):
    return text, number

def reset(context, caller):
    context.state.clear()

def whoami(context, caller):
    return caller

def fail(context, caller):
    context.trap("no such\\nthing")

def lie(context, caller):
    return "true"
"""


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    path = tmp_path_factory.mktemp("app") / "notes.py"
    path.write_text(NOTES, encoding="utf-8")
    with Lab(path, time_scale=60, seed=3) as lab:
        yield lab


class TestCalls:
    async def test_beside_a_session_under_its_identity(self, notes: Lab) -> None:
        async with icws.connect(notes) as session:
            await session.send({"text": "live"})
            canister = await icws.Canister(session)
            assert await canister.whoami() == session.principal == canister.principal
            assert await canister.add("called") >= 1
            texts = [note["text"] for note in await canister.history(2) if note["who"] == session.principal]
            assert "called" in texts
            assert session.is_open

    @pytest.mark.parametrize("version", [None, 2, 3, 4])
    async def test_an_update_by_each_endpoint_is_certified(self, notes: Lab, version: int | None) -> None:
        canister = icws.Canister(notes, call_version=version)
        assert await canister.reset() is None
        assert await canister.add("one") == 1
        answer = canister.last
        assert answer is not None
        assert (answer.kind, answer.method, answer.version) == ("update", "add", version or 4)
        assert [step.step for step in answer.steps] == ["parse", "delegation", "signature", "time"]
        assert all(step.ok for step in answer.steps)

    @pytest.mark.parametrize("version", [None, 2, 3])
    async def test_a_query_by_each_endpoint_is_signed(self, notes: Lab, version: int | None) -> None:
        canister = icws.Canister(notes, query_version=version)
        assert await canister.swap(1, "a") == ("a", 1)
        answer = canister.last
        assert answer is not None
        assert (answer.kind, answer.version) == ("query", version or 3)
        assert [(step.step, step.ok) for step in answer.steps] == [("node", True), ("signature", True), ("time", True)]

    async def test_a_query_as_an_update(self, notes: Lab) -> None:
        canister = icws.Canister(notes)
        assert await canister.swap.update(1, "a") == ("a", 1)
        assert canister.last is not None
        assert canister.last.kind == "update"

    async def test_on_one_connection(self, notes: Lab) -> None:
        async with icws.Canister(notes.network_url, notes.canister_id, clock=notes.clock) as canister:
            assert await canister.lie() == "true"
            assert (await canister.whoami()).is_anonymous

    async def test_while_the_time_of_the_lab_stands_still(self) -> None:
        with Lab("echo", paused=True, time_scale=60, seed=4) as lab:
            canister = icws.Canister(lab)
            key = {"client_principal": lab.gateway_principal, "client_nonce": 1}
            assert "Err" in await canister.ws_close({"client_key": key})


class TestRejects:
    @pytest.mark.parametrize("as_update", [False, True])
    async def test_have_the_code_and_the_text_of_the_canister(self, notes: Lab, as_update: bool) -> None:
        method = icws.Canister(notes).fail
        with pytest.raises(CallRejectedError, match="no such thing") as caught:
            await (method.update() if as_update else method())
        assert (caught.value.method, caught.value.code, caught.value.verified) == ("fail", 5, True)
        assert "\n" not in str(caught.value)

    async def test_before_the_call_is_accepted_have_no_proof(self, notes: Lab) -> None:
        missing = network_of(notes).replica.subnet_id
        for version in (2, 3, 4):
            canister = icws.Canister(
                notes.network_url, missing, "service : { add : () -> () }", clock=notes.clock, call_version=version
            )
            with pytest.raises(CallRejectedError) as caught:
                await canister.add()
            assert not caught.value.verified

    async def test_a_method_that_the_canister_lacks(self, notes: Lab) -> None:
        canister = icws.Canister(
            notes.network_url, notes.canister_id, "service : { gone : () -> () }", clock=notes.clock
        )
        with pytest.raises(CallRejectedError, match="has no update method 'gone'"):
            await canister.gone()


class TestInterface:
    async def test_is_read_from_the_public_metadata(self, notes: Lab) -> None:
        canister = icws.Canister(notes.network_url, notes.canister_id, clock=notes.clock)
        with pytest.raises(AttributeError, match="await icws.Canister"):
            canister.add  # noqa: B018
        with pytest.raises(StateError, match="await icws.Canister"):
            canister.methods  # noqa: B018
        assert "not read yet" in repr(canister)
        assert "not read yet" in repr(canister["add"])
        assert await canister["swap"](1, "a") == ("a", 1)
        assert "swap : (nat, text) -> (text, nat) query" in repr(canister)

    async def test_methods_are_completed(self, notes: Lab) -> None:
        canister = await icws.Canister(notes.network_url, notes.canister_id, clock=notes.clock)
        assert {"add", "history", "ws_open", "canister_id"} <= set(dir(canister))
        assert canister._ipython_key_completions_() == list(canister.methods)
        assert canister.add.__doc__ == repr(canister.add) == "add : (text) -> (nat)"

    def test_a_file_and_its_text(self, notes: Lab, tmp_path: Path) -> None:
        path = tmp_path / "my.did"
        path.write_text('service : { get : () -> (text) query; "set it" : () -> () }')
        for did in (path, str(path), path.read_text()):
            canister = icws.Canister("http://127.0.0.1:1", notes.canister_id, did)
            assert list(canister.methods) == ["get", "set it"]
            assert "set it" not in dir(canister)
            assert canister["set it"].name == "set it"

    async def test_what_it_lacks_is_said(self, notes: Lab) -> None:
        canister = icws.Canister(notes)
        with pytest.raises(AttributeError, match="no method 'subtract' \\(its methods: ws_open"):
            canister.subtract  # noqa: B018
        with pytest.raises(KeyError):
            canister["subtract"]
        with pytest.raises(StateError, match="no method 'subtract'"):
            await canister.call("subtract", ())
        with pytest.raises(ValueMismatchError, match="takes 1 argument, not 0"):
            await canister.add()
        with pytest.raises(ValueMismatchError):
            await canister.add(5)

    async def test_a_oneway_method_has_no_outcome(self, notes: Lab) -> None:
        canister = icws.Canister(notes.network_url, notes.canister_id, "service : { tell : () -> () oneway }")
        with pytest.raises(StateError, match="oneway"):
            await canister.tell()


class TestArguments:
    @pytest.mark.parametrize(
        ("arguments", "error", "said"),
        [
            ({"network": 5}, ArgumentTypeError, "network must be the URL of a network"),
            ({"network": "http://127.0.0.1:1"}, ArgumentValueError, "no canister"),
            (
                {"network": "http://h", "canister_id": "aaaaa-aa", "call_version": 1},
                ArgumentValueError,
                "one of 2, 3, 4",
            ),
            ({"network": "http://h", "canister_id": "aaaaa-aa", "query_version": 4}, ArgumentValueError, "one of 2, 3"),
            ({"network": "http://h", "canister_id": "aaaaa-aa", "root_key": b"x"}, ArgumentValueError, "root_key"),
            ({"network": "http://h", "canister_id": "aaaaa-aa", "did": "type T = nat"}, DidError, "no service"),
        ],
    )
    def test_are_checked(self, arguments: dict[str, Any], error: type[Exception], said: str) -> None:
        with pytest.raises(error, match=said):
            icws.Canister(**arguments)

    async def test_a_session_without_a_network_is_refused(self, notes: Lab) -> None:
        connecting = icws.connect(
            notes.gateway_url, canister=notes.canister_id, root_key=notes.root_key, clock=notes.clock
        )
        async with connecting as session:
            with pytest.raises(ArgumentValueError, match="this session has no network"):
                icws.Canister(session)

    def test_a_password_is_not_shown(self) -> None:
        canister = icws.Canister("http://me:s3cr3t@127.0.0.1:1/?key=t0k3n", "aaaaa-aa", "service : {}")
        assert "s3cr3t" not in repr(canister)
        assert "t0k3n" not in repr(canister)


class TestIcPy:
    def agent(self, lab: Lab) -> Agent:
        return Agent(IcPyIdentity(), Client(lab.network_url))

    async def test_an_agent_gives_its_network_and_its_identity(self, notes: Lab) -> None:
        agent = self.agent(notes)
        canister = await icws.Canister(agent, notes.canister_id, clock=notes.clock)
        assert (await canister.whoami()).raw == agent.get_principal().bytes
        other = Ed25519Identity.generate()
        canister = icws.Canister(agent, notes.canister_id, identity=other, clock=notes.clock)
        assert canister.principal == other.principal

    async def test_connect_takes_an_agent(self, notes: Lab) -> None:
        agent = self.agent(notes)
        connecting = icws.connect(notes.gateway_url, network=agent, canister=notes.canister_id, clock=notes.clock)
        async with connecting as session:
            assert session.principal.raw == agent.get_principal().bytes
        async with icws.connect(notes, identity=agent) as session:
            assert session.principal.raw == agent.get_principal().bytes

    def test_connect_refuses_other_objects(self, notes: Lab) -> None:
        with pytest.raises(ArgumentTypeError, match="or an Agent of ic-py, not an int"):
            icws.connect(notes.gateway_url, network=5, canister=notes.canister_id)


Change = Callable[[str, dict[str, Any]], dict[str, Any] | int]


@asynccontextmanager
async def in_front_of(lab: Lab, change: Change) -> AsyncIterator[str]:
    """A server between client and replica. ``change(path, answer)`` returns another answer, or an HTTP status."""

    async with aiohttp.ClientSession() as session:

        async def handle(request: web.Request) -> web.Response:
            headers = {"Content-Type": "application/cbor"}
            url = lab.network_url + request.path
            async with session.request(request.method, url, data=await request.read(), headers=headers) as answer:
                body, status = await answer.read(), answer.status
            value = change(request.path, cbor.loads(body) if status == 200 else {})
            if isinstance(value, int):
                return web.Response(status=value)
            return web.Response(status=status, body=cbor.dumps(value) if status == 200 else body)

        async with http_server(handle) as url:
            yield url


class TestNetworksThatLie:
    async def canister(self, lab: Lab, url: str, **options: Any) -> icws.Canister:
        return icws.Canister(url, lab.canister_id, lab.app_did, root_key=lab.root_key, clock=lab.clock, **options)

    async def test_an_altered_answer_to_a_query(self, notes: Lab) -> None:
        def change(path: str, answer: dict[str, Any]) -> dict[str, Any]:
            if path.endswith("/query"):
                answer["reply"]["arg"] = b"DIDL\x00\x01\x71\x05false"
            return answer

        async with in_front_of(notes, change) as url:
            canister = await self.canister(notes, url)
            with pytest.raises(VerificationError, match="not what the node signed") as caught:
                await canister.lie()
            assert [step.ok for step in caught.value.steps] == [True, False, None]
            trusting = await self.canister(notes, url, verify_queries=False)
            assert await trusting.lie() == "false"
            assert trusting.last is not None
            assert trusting.last.steps == ()

    async def test_an_answer_without_signatures(self, notes: Lab) -> None:
        def change(_path: str, answer: dict[str, Any]) -> dict[str, Any]:
            answer.pop("signatures", None)
            return answer

        async with in_front_of(notes, change) as url:
            with pytest.raises(VerificationError, match="no signature"):
                await (await self.canister(notes, url)).lie()

    async def test_the_outcome_of_another_call(self, notes: Lab) -> None:
        kept: list[bytes] = []

        def change(path: str, answer: dict[str, Any]) -> dict[str, Any]:
            if path.endswith("/call"):
                kept.append(answer["certificate"])
                answer["certificate"] = kept[0]
            return answer

        async with in_front_of(notes, change) as url:
            canister = await self.canister(notes, url)
            await canister.add("a")
            with pytest.raises(VerificationError, match="does not show it"):
                await canister.add("b")

    async def test_another_root_key(self, notes: Lab) -> None:
        with Lab("echo", seed=77) as other:
            canister = icws.Canister(
                notes.network_url, notes.canister_id, notes.app_did, root_key=other.root_key, clock=notes.clock
            )
        with pytest.raises(VerificationError, match="is not authentic"):
            await canister.add("a")
        with pytest.raises(VerificationError):
            await canister.lie()

    @pytest.mark.parametrize(("missing", "used"), [(("v4",), 3), (("v4", "v3"), 2)])
    async def test_older_networks_answer_404(self, notes: Lab, missing: tuple[str, ...], used: int) -> None:
        asked: list[str] = []

        def change(path: str, answer: dict[str, Any]) -> dict[str, Any] | int:
            asked.append(path)
            return 404 if path.split("/")[2] in missing else answer

        async with in_front_of(notes, change) as url:
            canister = await self.canister(notes, url)
            await canister.add("a")
            assert canister.last is not None
            assert canister.last.version == used
            await canister.lie()
            assert canister.last.version == (3 if used == 3 else 2)
            before = len([path for path in asked if path.endswith("/call")])
            await canister.add("a")
            assert len([path for path in asked if path.endswith("/call")]) == before + 1  # it has learnt which one

    async def test_neither_a_reply_nor_a_reject(self, notes: Lab) -> None:
        def change(path: str, answer: dict[str, Any]) -> dict[str, Any]:
            return {"status": "maybe"} if path.endswith("/query") else answer

        async with in_front_of(notes, change) as url:
            with pytest.raises(ConnectError, match="neither a reply nor a rejection"):
                await (await self.canister(notes, url, verify_queries=False)).lie()

    async def test_an_endpoint_that_no_version_has(self, notes: Lab) -> None:
        async with in_front_of(notes, lambda _path, _answer: 404) as url:
            with pytest.raises(ConnectError, match="HTTP 404"):
                await (await self.canister(notes, url)).add("a")

    async def test_a_call_that_is_never_executed(self, notes: Lab) -> None:
        """The proxy swallows the call, so the replica never hears of it; after its expiry the client gives up."""
        swallowed = await _swallowing(notes)
        async with swallowed as url:
            canister = await self.canister(notes, url, call_version=2)
            with pytest.raises(ConnectError, match="did not execute add before the call expired"):
                await canister.add("a")


async def _swallowing(lab: Lab) -> Any:
    session = aiohttp.ClientSession()

    async def handle(request: web.Request) -> web.Response:
        body = await request.read()
        if request.path.endswith("/call"):
            return web.Response(status=202)
        async with session.post(
            lab.network_url + request.path, data=body, headers={"Content-Type": "application/cbor"}
        ) as answer:
            return web.Response(status=answer.status, body=await answer.read())

    @asynccontextmanager
    async def serving() -> AsyncIterator[str]:
        async with session, http_server(handle) as url:
            yield url

    return serving()


class TestWithoutMetadata:
    async def test_the_interface_is_asked_of_the_canister(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Old Motoko canisters have no public metadata, but answer a query with their interface."""
        path = tmp_path / "old.py"
        path.write_text(
            """
MESSAGE_TYPE = "text"
METHODS = {"__get_candid_interface_tmp_hack": "() -> (text) query"}
def on_open(context, client): pass
def __get_candid_interface_tmp_hack(context, caller):
    return "service : { add : (text) -> (nat) }"
"""
        )
        monkeypatch.setattr(AppCanister, "candid_interface", property(lambda _: ""))
        with Lab(path, time_scale=60, seed=5) as lab:
            canister = await icws.Canister(lab.network_url, lab.canister_id, clock=lab.clock)
        assert list(canister.methods) == ["add"]

    async def test_or_it_is_said_that_there_is_none(self, notes: Lab) -> None:
        unknown = canister_principal(FIRST_CANISTER + 500)
        with pytest.raises(DidError, match="publishes no interface .*not found.*: pass its .did file as did="):
            await icws.Canister(notes.network_url, unknown, clock=notes.clock)
