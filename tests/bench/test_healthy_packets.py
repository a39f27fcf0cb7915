"""Healthy sessions as packets: nothing is found, whatever the recorder of the packets has lost or shuffled."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import islice

import pytest

from bench.healthy_settings import settings
from icws_explore.analysis.doctor import diagnose
from icws_explore.analysis.imports import identify
from icws_explore.capture import Capture
from icws_explore.capture.packets import load_pcap
from icws_explore.lab.simulator import Population, simulate
from support import packets
from support.packets import Talk
from support.raw_tcp import frame

SEGMENT = 1_400
OPCODES = {"text": 1, "binary": 2, "close": 8}


def talk_of(capture: Capture) -> list[tuple[float, bytes]]:
    """Each session a connection, each packet at its frame's time."""
    together = []
    for number, name in enumerate(capture.session_ids):
        talk = Talk(client=(bytes([10, 0, 1, number]), 40_000 + number)).opened()
        frames = [recorded for recorded in capture.frames if recorded.session == name and recorded.op in OPCODES]
        times = [frames[0].t - 0.01] * len(talk.packets)
        for recorded in frames:
            is_up = recorded.direction == "out"
            payload = (
                recorded.code.to_bytes(2) + recorded.reason.encode()
                if recorded.op == "close" and recorded.code < 5000
                else recorded.data
            )
            data = frame(OPCODES[recorded.op], payload, masked=is_up)
            for at in range(0, len(data), SEGMENT):
                (talk.up if is_up else talk.down)(data[at : at + SEGMENT])
            times += [recorded.t] * (len(talk.packets) - len(times))
        if any(recorded.op == "close" for recorded in frames):
            talk.fin("client").fin("server")
            times += [frames[-1].t] * 2
        together += [(t, packet) for t, (_, packet) in zip(times, talk.packets, strict=True)]
    return sorted(together, key=lambda packet: packet[0])


def imported(capture: Capture, conversation: list[tuple[float, bytes]], path) -> Capture:
    path.write_bytes(packets.pcap(conversation))
    read = load_pcap(path)
    known = replace(read.info, root_key=capture.info.root_key, ack_interval_ms=capture.info.ack_interval_ms)
    return identify(Capture(known, read.frames, read.notes))


@pytest.fixture(scope="module")
def recordings() -> list[Capture]:
    small = (setting for setting in settings(31) if setting.sessions <= 3 and setting.duration_s < 1_000)
    return [setting.run().raw for setting in islice(small, 6)]


def alarms(capture: Capture) -> list[str]:
    return [finding.id for finding in diagnose(capture) if finding.severity != "info"]


def test_whole_and_shuffled(recordings, tmp_path):
    dice = random.Random(1)
    for capture in recordings:
        conversation = talk_of(capture)
        whole = imported(capture, conversation, tmp_path / "a.pcap")
        assert len(whole) == sum(recorded.op in OPCODES for recorded in capture.frames)
        assert alarms(whole) == []
        repeated = [packet for packet in conversation for _ in range(dice.choice([1, 1, 1, 2]))]
        assert [recorded.data for recorded in imported(capture, repeated, tmp_path / "b.pcap")] == [
            recorded.data for recorded in whole
        ]


def test_with_packets_lost(recordings, tmp_path):
    """What is missing ends the recording of that session, and is no fault of the dapp's."""
    dice = random.Random(2)
    shorter = 0
    for capture in recordings:
        conversation = talk_of(capture)
        for _ in range(8):
            lost = dice.randrange(len(conversation))
            if b"HTTP/1.1" in conversation[lost][1]:
                continue  # without its handshake it is no session
            kept = imported(capture, conversation[:lost] + conversation[lost + 1 :], tmp_path / "a.pcap")
            shorter += any("packets are missing" in note for note in kept.notes)
            assert alarms(kept) == [], kept.notes
    assert shorter > 10


def test_a_faulty_one_is_still_found(tmp_path):
    ill = simulate("echo", duration="10m", ack_interval_ms=200_000, population=Population(ack_interval_ms=90_000)).raw
    assert alarms(imported(ill, talk_of(ill), tmp_path / "a.pcap")) == ["ACK_INTERVAL_MISMATCH"]
