"""The gateway with a bare WebSocket client on one side and the lab's replica on the other."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin

from icws_explore.lab import Faults, GatewayServer, Lab, LabEvent, RelayFaults
from icws_explore.lab import lab as lab_module
from icws_explore.lab.faults import Delivery
from icws_explore.lab.gateway import connection as connection_module
from icws_explore.lab.gateway import gateway as gateway_module
from icws_explore.protocol.cbor import dumps
from icws_explore.protocol.errors import ConnectError, LabError
from icws_explore.protocol.keys import DelegatedIdentity, Ed25519Identity, Identity, Secp256k1Identity, delegate
from icws_explore.protocol.messages import Handshake
from icws_explore.protocol.service_messages import OpenMessage, decode_service
from icws_explore.protocol.steps import first_failure
from support.lab_requests import PATIENCE_S, BareClient, ask, eventually
from support.raw_tcp import ASK


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(app="echo", seed=2, update_latency_ms=20, poll_interval_ms=20) as lab:
        yield lab


def delegated() -> DelegatedIdentity:
    root, session = Secp256k1Identity.generate(), Ed25519Identity.generate()
    link = delegate(root, session.public_key_der, expiration_ns=2**63)
    return DelegatedIdentity(session, root.public_key_der, [link])


async def until(lab: Lab, holds: Callable[[LabEvent], bool]) -> LabEvent:
    """Wait for the first event of the lab for which ``holds`` is true, and return it."""
    return await eventually(lambda: next(filter(holds, lab.events), None))  # type: ignore[return-value]


async def end_of(client: BareClient) -> int:
    """Wait until the gateway ends the session, and return the close code that the client sees."""
    with pytest.raises(ConnectionClosed):
        async with asyncio.timeout(PATIENCE_S):
            while True:
                await client.socket.recv()
    code = client.socket.close_code
    assert code is not None
    return code


class TestSession:
    async def test_begins_with_the_handshake(self, lab: Lab) -> None:
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

    async def test_relays_in_both_directions(self, lab: Lab) -> None:
        async with BareClient(lab) as client:
            await client.open()
            await client.send_text("hello")
            echoed = await client.receive()
            assert (echoed.sequence_num, b"hello" in echoed.content) == (2, True)

    async def test_keeps_the_order_of_a_burst(self, lab: Lab) -> None:
        async with BareClient(lab) as client:
            await client.open()
            for number in range(60):  # more than one poll returns
                await client.send_text(f"number {number:02}")
            contents = [(await client.receive()).content for _ in range(60)]
            assert [number for number in range(60) if f"number {number:02}".encode() not in contents[number]] == []

    async def test_calls_ws_close_when_the_client_leaves(self, lab: Lab) -> None:
        async with BareClient(lab) as client:
            await client.open()
        await eventually(lambda: client.key not in [each.key for each in lab.canister().clients])
        closed = next(event for event in reversed(lab.events) if event.facts.get("method") == "ws_close")
        assert closed.facts["sender"] == str(lab.gateway_principal)

    async def test_concurrent_clients_get_their_own_messages(self, lab: Lab) -> None:
        async def play(number: int) -> bytes:
            async with BareClient(lab) as client:
                await client.open()
                await client.send_text(f"I am {number}.")
                return (await client.receive()).content

        contents = await asyncio.gather(*(play(number) for number in range(20)))
        assert all(f"I am {number}.".encode() in content for number, content in enumerate(contents))


class TestEnd:
    """Gateway 1.4.6 ends a session without a close frame, or with a close frame that has no code."""

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

    async def test_a_message_before_the_ping_is_relayed(self, lab: Lab) -> None:
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

    async def test_an_invalid_first_frame_ends_the_session(self, lab: Lab) -> None:
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

    async def test_a_canister_that_cannot_be_polled_ends_all_its_sessions(self, lab: Lab) -> None:
        absent = lab.add_canister("echo")
        lab._call(lambda: lab._running_network.replica.stop_canister(absent))
        async with BareClient(lab) as client:
            client.canister_id = absent
            await client.ask_to_open()
            assert await end_of(client) == 1005
        assert any("Unrecoverable agent error" in event.text for event in lab.events)


class TestStop:
    @pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"], ids=["nothing", "half a request"])
    async def test_does_not_wait_for_a_client_that_has_sent(self, monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
        """The library waits ten seconds for the request, and a browser opens connections that it may never use."""
        monkeypatch.setattr(lab_module, "STOP_TIMEOUT_S", 5.0)
        with socket.socket() as client:
            with Lab() as lab:
                client.connect(("127.0.0.1", lab.gateways[0].port))
                client.sendall(sent)
                await eventually(lambda: lab.gateways[0]._sockets)
            client.settimeout(PATIENCE_S)
            with contextlib.suppress(ConnectionResetError):
                assert client.recv(1) == b""


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_module, "MAX_UNSENT", 200_000)
    monkeypatch.setattr(connection_module, "MAX_UNRELAYED", 200_000)


@pytest.mark.usefixtures("small_limits")
class TestSlowReader:
    """A client that does not read stops the polling of its canister, as with the real gateway."""

    COUNT, SIZE = 60, 30_000  # 50 of them fit into one answer to a poll

    @pytest.fixture
    def own_lab(self) -> Iterator[Lab]:
        with Lab(app="echo", update_latency_ms=1, poll_interval_ms=10) as lab:
            yield lab

    async def test_stops_the_polls_until_it_reads(self, own_lab: Lab) -> None:
        async with BareClient(own_lab) as slow, BareClient(own_lab) as other:
            await slow.open()
            await other.open()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.flood(own_lab, slow))
                await until(own_lab, lambda event: event.kind == "waiting")
                (connection,) = [each for each in own_lab.gateways[0]._connections.values() if each.is_full]
                held = connection.transport.get_write_buffer_size() + connection._unrelayed
                assert held < 200_000 + 200_000 + 50 * (self.SIZE + 5_000)  # the limits, and one answer to a poll
                await other.send_text("hello")
                waiting = tasks.create_task(other.receive())
                slow.socket.transport.resume_reading()
                numbers = [(await slow.receive()).sequence_num for _ in range(self.COUNT)]
            assert numbers == list(range(2, self.COUNT + 2))
            assert b"hello" in waiting.result().content
        assert any(event.kind == "resumed" for event in own_lab.events)

    async def test_is_not_read_either(self, own_lab: Lab) -> None:
        async with BareClient(own_lab) as slow:
            await slow.open()
            sending = asyncio.create_task(self.flood(own_lab, slow))
            await until(own_lab, lambda event: event.kind == "waiting")
            (connection,) = own_lab.gateways[0]._connections.values()
            assert not connection.transport.is_reading()
            sending.cancel()

    async def test_calls_that_are_delayed_stop_the_reading_too(self) -> None:
        class Late(Faults):
            def call(self, session: int, envelope: bytes) -> list[Delivery]:
                return [Delivery(envelope, delay_ms=0 if b"ws_open" in envelope else 3_600_000)]

        with Lab(app="echo", faults=Late()) as lab:
            async with BareClient(lab) as client:
                await client.open()
                sending = asyncio.create_task(self.flood(lab, client))
                (connection,) = lab.gateways[0]._connections.values()
                await eventually(lambda: not connection.transport.is_reading())
                assert 200_000 < connection._unrelayed < 200_000 + 300_000  # the limit, and one read of the transport
                sending.cancel()

    async def test_does_not_keep_the_lab_from_stopping(self, own_lab: Lab) -> None:
        async with BareClient(own_lab) as slow:
            await slow.open()
            sending = asyncio.create_task(self.flood(own_lab, slow))
            await until(own_lab, lambda event: event.kind == "waiting")
            await asyncio.to_thread(own_lab.stop)  # it raises LabError if it takes too long
            sending.cancel()

    async def flood(self, lab: Lab, client: BareClient) -> None:
        """Send messages, which the canister echoes, and do not read. Small buffers of the sockets make it quick."""
        transport = client.socket.transport
        transport.pause_reading()
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        for connection in lab.gateways[0]._connections.values():
            connection.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        for _ in range(self.COUNT):
            await client.send_text("x" * self.SIZE)


class TestEventLog:
    async def test_has_an_err_of_the_canister(self, lab: Lab) -> None:
        async with BareClient(lab) as client:
            await client.open()
            client._sent = 5
            await client.send_text("out of order")
            err = await until(lab, lambda e: e.kind == "err" and e.facts["sender"] == str(client.identity.principal))
            assert err.facts["err"] == "Expected incoming sequence number 1 but got 6"

    async def test_has_a_refusal_of_the_replica(self, lab: Lab) -> None:
        async with BareClient(lab) as client:
            client.clock = type("Late", (), {"now_ns": staticmethod(lambda: 0)})()  # type: ignore[assignment]
            await client.ask_to_open()
            await until(lab, lambda e: e.kind == "refused" and "ingress_expiry" in e.text)
            await until(lab, lambda e: e.part == "gateway" and "Error relaying envelope" in e.text)


class TestPages:
    @pytest.mark.parametrize("origin", [None, "http://localhost:3000", "http://127.0.0.1:5173"])
    async def test_of_this_machine_are_allowed(self, lab: Lab, origin: Origin | None) -> None:
        async with connect(lab.gateway_url, origin=origin) as socket:
            assert Handshake.decode(await socket.recv(decode=False)).gateway_principal == lab.gateway_principal

    @pytest.mark.parametrize(
        ("headers", "said"),
        [
            ({"Origin": "https://evil.example"}, "--allow-origin https://evil.example"),
            ({"Origin": "null"}, "--allow-origin null"),
            ({"Host": "evil.example"}, "--allow-host evil.example"),
        ],
    )
    async def test_others_are_refused_and_the_log_says_how_to_allow_them(
        self, lab: Lab, headers: dict[str, str], said: str
    ) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", lab.gateways[0].port)
        lines = "".join(f"{name}: {value}\r\n" for name, value in ({"Host": "127.0.0.1"} | headers).items())
        writer.write(ASK.replace(b"Host: 127.0.0.1\r\n", lines.encode()))
        answer = await reader.read()
        writer.close()
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert said in answer.decode()
        await until(lab, lambda e: e.kind == "refused" and said in e.text)

    async def test_named_ones_are_allowed(self) -> None:
        with Lab(app="echo", allow_origins=["https://dapp.example"], allow_hosts=["box.example"]) as lab:
            async with connect(lab.gateway_url, origin=Origin("https://dapp.example")) as socket:
                await socket.recv()
            headers = {"Origin": "https://dapp.example", "Host": "box.example:1"}
            answer = await ask(f"{lab.network_url}/api/v2/status", verb="GET", headers=headers)
            assert answer.status == 200


class TestStart:
    async def test_a_url_that_is_not_a_network_raises(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{free.getsockname()[1]}"
            with pytest.raises(ConnectError, match="no network at http://127"):
                await GatewayServer(url).start()

    async def test_a_used_port_raises(self, lab: Lab) -> None:
        gateway = GatewayServer(lab.network_url, port=lab.gateways[0].port)
        with pytest.raises(LabError, match="cannot listen on port"):
            await gateway.start()

    async def test_runs_on_the_users_own_loop(self, lab: Lab) -> None:
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

    async def test_repr_hides_the_key(self, lab: Lab) -> None:
        gateway = GatewayServer(lab.network_url, identity=Ed25519Identity.from_secret(b"k" * 32))
        assert (b"k" * 32).hex() not in repr(vars(gateway))


class TestFaults:
    async def test_a_tampered_message_does_not_verify(self, lab: Lab) -> None:
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

    async def test_a_dropped_message_does_not_reach_the_canister(self, lab: Lab) -> None:
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
