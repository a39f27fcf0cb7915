"""Sessions with the canister: messages, acks, an upgrade in the middle, faults, and real sockets."""

from __future__ import annotations

import pytest


def say(text):
    return {"text": text, "timestamp": 0}


def test_it_greets_and_answers(icws_client):
    assert icws_client.receive()["text"] == "ping"
    icws_client.send(say("hello"))
    assert icws_client.receive()["text"] == "ping"


def test_three_answers_arrive_in_order(icws_lab, icws_client):
    icws_client.receive()
    icws_client.send(say("three"))
    icws_lab.advance("5s")
    times = [message["timestamp"] for message in icws_client.take()]
    assert len(times) == 3
    assert times == sorted(times)


def test_acks_come_every_five_minutes(icws_lab, icws_client, icws_record):
    for minutes in range(1, 4):
        icws_client.send(say(f"minute {5 * minutes}"))
        icws_lab.advance("5m")
        assert icws_client.acks == icws_client.keep_alives == minutes
    assert icws_client.is_open
    icws_record.assert_healthy()


def test_a_client_comes_back_after_an_upgrade(icws_lab, icws_client):
    icws_client.send(say("before"))
    icws_lab.advance("10s")
    icws_lab.upgrade()
    icws_client.send(say("lost"))  # the canister has forgotten the session
    icws_lab.advance("10m")
    assert icws_client.closed is not None  # no ack came, so the client gave up
    again = icws_client.reconnect()
    assert again.receive()["text"] == "ping"


def test_a_message_that_traps_does_not_end_the_session(icws_lab, icws_client):
    icws_client.receive()
    icws_client.send(say("trap"))
    icws_lab.advance("5s")
    assert any(event.kind == "trapped" for event in icws_lab.events)
    assert icws_client.is_open


def test_the_canister_can_close(icws_lab, icws_client):
    icws_client.send(say("close"))
    icws_lab.advance("5s")
    assert icws_client.closed is not None
    assert "ClosedByApplication" in icws_client.failures[-1]


def test_the_client_notices_a_lost_message(icws_lab, icws_client):
    with icws_lab.fault("SEQUENCE_GAP_DOWN"):  # the gateway drops the fourth message
        icws_client.send(say("three"))
        icws_client.send(say("three"))
        icws_lab.advance("5s")
    assert icws_client.closed == (4000, "Error receiving message")


def test_clients_have_their_own_sessions(icws_lab):
    first, second = icws_lab.connect(), icws_lab.connect()
    first.send(say("close"))
    icws_lab.advance("5s")
    assert not first.is_open
    assert second.is_open
    assert first.principal != second.principal


@pytest.mark.icws(time="paused", time_scale=60)
def test_the_same_over_real_sockets(icws_lab, icws_client):
    assert icws_client.receive()["text"] == "ping"
    icws_client.send(say("hello"))
    assert icws_client.receive()["text"] == "ping"
    assert icws_client.wait_for("ack").kind == "ack"
