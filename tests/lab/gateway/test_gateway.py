"""The gateway with a bare WebSocket client on one side and the lab's replica on the other."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from icws_explore.lab import GatewayServer, Lab, LabEvent, RelayFaults
from icws_explore.protocol.cbor import dumps
from icws_explore.protocol.errors import ConnectError, LabError
from icws_explore.protocol.keys import DelegatedIdentity, Ed25519Identity, Identity, Secp256k1Identity, delegate
from icws_explore.protocol.messages import Handshake
from icws_explore.protocol.service_messages import OpenMessage, decode_service
from icws_explore.protocol.steps import first_failure
from support.lab_requests import PATIENCE_S, BareClient, eventually


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(app="echo", seed=2, update_latency_ms=20, poll_interval_ms=20) as lab:
        yield lab


def delegated() -> DelegatedIdentity:
    root, session = Secp256k1Identity.generate(), Ed25519Identity.generate()
    link = delegate(root, session.public_key_der, expiration_ns=2**63)
    return DelegatedIdentity(session, root.public_key_der, [link])


async def until(lab: Lab, holds: Callable[[LabEvent], bool]) -> LabEvent:
    """The first event of the lab that ``holds``."""
    return await eventually(lambda: next(filter(holds, lab.events), None))  # type: ignore[return-value]


async def end_of(client: BareClient) -> int:
    """The close code that the client sees when the gateway ends the session."""
    with pytest.raises(ConnectionClosed):
        async with asyncio.timeout(PATIENCE_S):
            while True:
                await client.socket.recv()
    code = client.socket.close_code
    assert code is not None
    return code


class TestSession:
    async def test_begins_with_the_handshake_unasked(self, lab: Lab) -> None:
        async with connect(lab.gateway_url, proxy=None) as socket:
            frame = await socket.recv()
            assert isinstance(frame, bytes)
            assert Handshake.decode(frame).gateway_principal == lab.gateway_principal

    @pytest.mark.parametrize(
        "identity",
        [Ed25519Identity.generate(), Secp256k1Identity.generate(), delegated()],
        ids=["ed25519", "secp256k1", "delegation"],
    )
    async def test_opens_with_a_certified_message(self, lab: Lab, identity: Identity) -> None:
        async with BareClient(lab, identity=identity) as client:
            opened = await client.open()
            assert (opened.sequence_num, opened.is_service_message) == (1, True)
            assert decode_service(opened.content) == OpenMessage(client.key)

    async def test_relays_both_ways(self, lab: Lab) -> None:
        async with BareClient(lab) as client:
            await client.open()
            await client.send_text("hello")
            echoed = await client.receive()
            assert (echoed.sequence_num, b"hello" in echoed.content) == (2, True)

    async def test_keeps_the_order_of_a_burst(self, lab: Lab) -> None:
        async with BareClient(lab) as client:
            await client.open()
            for number in range(60):  # more than one poll's worth
                await client.send_text(f"number {number:02}")
            contents = [(await client.receive()).content for _ in range(60)]
            assert [number for number in range(60) if f"number {number:02}".encode() not in contents[number]] == []

    async def test_calls_ws_close_when_the_client_leaves(self, lab: Lab) -> None:
        async with BareClient(lab) as client:
            await client.open()
        await eventually(lambda: client.key not in [each.key for each in lab.canister().clients])
        closed = next(event for event in reversed(lab.events) if event.facts.get("method") == "ws_close")
        assert closed.facts["sender"] == str(lab.gateway_principal)

    async def test_many_at_once_get_their_own_messages(self, lab: Lab) -> None:
        async def play(number: int) -> bytes:
            async with BareClient(lab) as client:
                await client.open()
                await client.send_text(f"I am {number}.")
                return (await client.receive()).content

        contents = await asyncio.gather(*(play(number) for number in range(20)))
        assert all(f"I am {number}.".encode() in content for number, content in enumerate(contents))


class TestEnds:
    """As gateway 1.4.6 ends them: without a close frame, or with one that has no code."""

    async def test_a_ping_ends_an_open_session(self, lab: Lab) -> None:
        async with BareClient(lab) as client:
            await client.open()
            await client.socket.ping()
            assert await end_of(client) == 1006

    async def test_a_text_frame_ends_an_open_session(self, lab: Lab) -> None:
        async with BareClient(lab) as client:
            await client.open()
            await client.socket.send("text")
            assert await end_of(client) == 1006

    async def test_what_came_before_the_ping_is_relayed(self, lab: Lab) -> None:
        async with BareClient(lab) as client:
            await client.open()
            await client.send_text("before")
            await client.socket.ping()
            assert await end_of(client) == 1006
            sender = str(client.identity.principal)
            await until(
                lab, lambda e: e.kind == "accepted" and e.facts.get("sender") == sender and "ws_message" in e.text
            )

    async def test_a_fragmented_message_is_one_frame(self, lab: Lab) -> None:
        async with BareClient(lab) as client:
            await client.open()
            await client.socket.send([b"not an ", b"envelope"])
            assert await end_of(client) == 1006

    async def test_a_first_frame_that_opens_nothing(self, lab: Lab) -> None:
        for frame in (b"garbage", dumps({"envelope": {"content": {}}})):
            async with BareClient(lab) as client:
                await client.socket.send(frame)
                assert await end_of(client) == 1005

    async def test_a_close_frame_is_not_answered(self, lab: Lab) -> None:
        async with BareClient(lab) as client:
            await client.open()
            await client.socket.close(1000)
            assert client.socket.close_code == 1006
            assert client.key not in [each.key for each in lab.canister().clients]  # ws_close came first

    async def test_a_canister_without_the_method_takes_all_its_sessions_along(self, lab: Lab) -> None:
        absent = lab.add_canister("echo")
        lab._call(lambda: lab._need.replica.stop_canister(absent))
        async with BareClient(lab) as client:
            client.canister_id = absent
            await client.ask_to_open()
            assert await end_of(client) == 1005
        assert any("Unrecoverable agent error" in event.text for event in lab.events)


class TestWhatTheClientIsNeverTold:
    async def test_an_err_of_the_canister_stands_in_the_log(self, lab: Lab) -> None:
        async with BareClient(lab) as client:
            await client.open()
            client._sent = 5
            await client.send_text("out of order")
            err = await until(lab, lambda e: e.kind == "err" and e.facts["sender"] == str(client.identity.principal))
            assert err.facts["err"] == "Expected incoming sequence number 1 but got 6"

    async def test_a_refusal_of_the_replica_stands_in_the_log(self, lab: Lab) -> None:
        async with BareClient(lab) as client:
            client.clock = type("Late", (), {"now_ns": staticmethod(lambda: 0)})()  # type: ignore[assignment]
            await client.ask_to_open()
            await until(lab, lambda e: e.kind == "refused" and "ingress_expiry" in e.text)
            await until(lab, lambda e: e.part == "gateway" and "Error relaying envelope" in e.text)


class TestStarting:
    async def test_not_a_network(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{free.getsockname()[1]}"
            with pytest.raises(ConnectError, match="no network at http://127"):
                await GatewayServer(url).start()

    async def test_a_port_that_is_taken(self, lab: Lab) -> None:
        gateway = GatewayServer(lab.network_url, port=lab.gateways[0].port)
        with pytest.raises(LabError, match="cannot be listened on"):
            await gateway.start()

    async def test_on_a_loop_of_ones_own_before_any_replica(self, lab: Lab) -> None:
        gateway = GatewayServer(lab.network_url, ordered=False, poll_interval_ms=20)
        await gateway.start()
        try:
            async with BareClient(lab, gateway_url=gateway.url) as client:
                assert client.gateway == gateway.principal
                await client.open()
                await client.send_text("hello")
                assert b"hello" in (await client.receive()).content
        finally:
            await gateway.stop()
        assert len(asyncio.all_tasks()) == 1

    async def test_no_key_is_shown(self, lab: Lab) -> None:
        gateway = GatewayServer(lab.network_url, identity=Ed25519Identity.from_secret(b"k" * 32))
        assert (b"k" * 32).hex() not in repr(vars(gateway))


class TestFaults:
    async def test_tampering_is_caught_by_the_proof(self, lab: Lab) -> None:
        gateway = lab.add_gateway(faults=RelayFaults(tamper=1.0, spare=1))  # the handshake passes
        async with BareClient(lab, gateway_url=gateway.url) as client:
            await client.ask_to_open()
            _, steps = await client.receive_unchecked()
            failure = first_failure(steps)
            assert failure is not None
            assert failure.step == "body"
        lab.remove_gateway(gateway)

    async def test_duplicates_and_delays_arrive(self, lab: Lab) -> None:
        gateway = lab.add_gateway(faults=RelayFaults(duplicate=1.0, delay_ms=30, spare=1))
        async with BareClient(lab, gateway_url=gateway.url) as client:
            assert [(await client.open()).sequence_num, (await client.receive()).sequence_num] == [1, 1]
        lab.remove_gateway(gateway)

    async def test_what_is_dropped_on_the_way_up_is_missed_by_the_canister(self, lab: Lab) -> None:
        gateway = lab.add_gateway(faults=RelayFaults(drop=1.0, direction="up", spare=1))
        async with BareClient(lab, gateway_url=gateway.url) as client:
            await client.open()
            await client.send_text("lost")
            async with BareClient(lab) as other:  # through a gateway that drops nothing
                await other.open()
                await other.send_text("behind it")
                assert b"behind it" in (await other.receive()).content
            (missing,) = [each for each in lab.canister().clients if each.key == client.key]
            assert (missing.sent, missing.expected) == (1, 1)
        lab.remove_gateway(gateway)
