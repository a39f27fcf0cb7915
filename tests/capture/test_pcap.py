"""Packet captures: pcap and pcapng, every link that is read, several sessions, damage of every kind."""

import random
import struct
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.frames import Opcode

from icws_explore.capture import load, save
from icws_explore.capture import pcap as pcap_module
from icws_explore.capture.pcap import is_pcap, load_pcap
from icws_explore.protocol.errors import CaptureError
from support import packets
from support.packets import Talk
from support.raw_tcp import frame

DOWN, UP = frame(Opcode.BINARY, b"down" * 100), frame(Opcode.BINARY, b"up", masked=True)


def session(**where):
    return Talk(**where).opened().down(DOWN[:100]).down(DOWN[100:]).up(UP).fin("server").fin("client")


def seen(capture):
    return [(f.direction, f.op, f.data, f.code) for f in capture.frames]


EXPECTED = [("in", "binary", b"down" * 100, None), ("out", "binary", b"up", None), ("in", "close", b"", 1006)]


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "packets"
        path.write_bytes(content)
        return path

    return write


class TestFormats:
    @pytest.mark.parametrize("link", packets.LINKS)
    @pytest.mark.parametrize("make", [packets.pcap, packets.pcapng])
    def test_every_link(self, write, link, make):
        path = write(make(session(link=link).packets, link=link))
        assert is_pcap(path)
        capture = load_pcap(path)
        assert seen(capture) == EXPECTED
        assert capture.info.gateway_url == "ws://gw.example:8080/path?q=1"
        assert (capture.info.origin, capture.info.started_at) == ("pcap", "2023-11-14T22:13:22.000Z")

    def test_nanoseconds(self, write):
        capture = load_pcap(write(packets.pcap(session().packets, nano=True)))
        assert [frame.t - 1_700_000_000 for frame in capture.frames] == [5, 6, 7]

    def test_ipv6(self, write):
        ends = {"client": (bytes(15) + b"\1", 40_000), "server": (bytes(15) + b"\2", 8080)}
        assert seen(load_pcap(write(packets.pcap(session(**ends).packets)))) == EXPECTED

    def test_becomes_an_icws_file(self, write, tmp_path):
        capture = load_pcap(write(packets.pcap(session().packets)))
        assert load(save(capture, tmp_path / "s.icws")).info == capture.info


class TestTraffic:
    def test_order_and_repeats_do_not_matter(self, write):
        talk = session()
        dice = random.Random(5)
        for _ in range(10):
            middle = talk.packets[4:-2] * 2
            dice.shuffle(middle)
            capture = load_pcap(write(packets.pcap([*talk.packets[:4], *middle, *talk.packets[-2:]])))
            assert sorted(seen(capture)) == sorted(EXPECTED)

    def test_several_sessions_and_other_traffic(self, write):
        first = session()
        second = session(client=(b"\x0a\x00\x00\x03", 1), start=first.start + 0.5)
        tls = Talk(client=(b"\x0a\x00\x00\x04", 2)).up(b"\x16\x03\x01")
        noise = [(first.start, b"\xff" * 20), (first.start, bytes(60))]
        together = sorted(first.packets + second.packets + tls.packets + noise)
        capture = load_pcap(write(packets.pcap(together)))
        assert capture.session_ids == ["1", "2"]
        assert [seen(capture.session(name)) for name in ("1", "2")] == [EXPECTED, EXPECTED]
        assert [frame.t for frame in capture.frames] == sorted(frame.t for frame in capture.frames)

    def test_a_port_that_is_used_again(self, write):
        first = session()
        second = session(start=first.start + 60, client_sequence=999)
        capture = load_pcap(write(packets.pcap(first.packets + second.packets)))
        assert [len(capture.session(name)) for name in capture.session_ids] == [3, 3]

    def test_only_those_asked_for(self, write):
        path = write(packets.pcap(session().packets))
        assert len(load_pcap(path, url="gw.example")) == 3
        with pytest.raises(CaptureError, match="whose URL holds"):
            load_pcap(path, url="other")


class TestNone:
    def test_tls_only_says_what_to_do(self, write):
        with pytest.raises(CaptureError, match="icws tap"):
            load_pcap(write(packets.pcap(Talk().up(b"\x16\x03\x01" + bytes(50)).packets)))

    @pytest.mark.parametrize(
        "talk", [Talk(), Talk().up(b"hello"), Talk().opened(b"HTTP/1.1 403 No\r\n\r\n"), Talk().down(DOWN)]
    )
    def test_no_session_from_its_start_on(self, write, talk):
        with pytest.raises(CaptureError, match="no WebSocket from its opening handshake"):
            load_pcap(write(packets.pcap(talk.packets)))

    @pytest.mark.parametrize("content", [b"", b"nonsense", b"\xd4\xc3\xb2\xa1", b"\x0a\x0d\x0d\x0a" + bytes(40)])
    def test_no_packet_capture(self, write, content):
        with pytest.raises(CaptureError, match="no packet capture") as raised:
            load_pcap(write(content))
        assert "\n" not in str(raised.value)

    def test_another_link(self, write):
        content = bytearray(packets.pcap(session().packets))
        content[20:24] = struct.pack("<I", 105)
        with pytest.raises(CaptureError, match="link of type 105"):
            load_pcap(write(bytes(content)))

    def test_not_there(self, tmp_path):
        for read in (is_pcap, load_pcap):
            with pytest.raises(CaptureError, match="cannot read"):
                read(tmp_path / "missing")
            with pytest.raises(CaptureError, match="cannot read"):
                read(tmp_path)


class TestDamaged:
    WHOLE = (packets.pcap(session().packets), packets.pcapng(session().packets))

    @pytest.mark.parametrize("whole", WHOLE, ids=["pcap", "pcapng"])
    def test_what_came_before_a_tear_is_kept(self, write, whole):
        capture = load_pcap(write(whole[:-75]))
        assert seen(capture)[:2] == EXPECTED[:2]

    def test_a_missing_packet_is_said(self, write):
        talk = session()
        del talk.packets[4]
        capture = load_pcap(write(packets.pcap(talk.packets)))
        assert any("packets are missing" in note for note in capture.notes)

    def test_a_length_that_is_a_lie(self, write):
        content = packets.pcap(session().packets) + struct.pack("<IIII", 1, 1, 2**31, 2**31)
        capture = load_pcap(write(content))
        assert seen(capture) == EXPECTED
        assert "torn or damaged after packet 9" in capture.notes[-1]

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
    @given(st.sampled_from(WHOLE), st.data())
    def test_only_documented_errors(self, write, whole, data):
        content = bytearray(whole)
        for _ in range(data.draw(st.integers(1, 4))):
            at = data.draw(st.integers(0, len(content) - 1))
            content[at] = data.draw(st.integers(0, 255))
        try:
            load_pcap(write(bytes(content[: data.draw(st.integers(0, len(content)))])))
        except CaptureError as error:
            assert "\n" not in str(error)


class TestMemory:
    def test_other_traffic_is_not_kept(self, write):
        talk = Talk().up(b"\x16\x03\x01")
        for _ in range(300):
            talk.up(bytes(50_000))
        path = write(packets.pcap(talk.packets + session(client=(b"\x0a\x00\x00\x03", 1)).packets))
        del talk
        tracemalloc.start()
        load_pcap(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 5_000_000

    def test_frames_and_connections_are_bounded(self, write, monkeypatch):
        path = write(packets.pcap(session().packets + session(client=(b"\x0a\x00\x00\x03", 1)).packets))
        monkeypatch.setattr(pcap_module, "MAX_CONNECTIONS", 1)
        monkeypatch.setattr(pcap_module, "MAX_FRAMES", 2)
        capture = load_pcap(path)
        assert (len(capture), capture.session_ids) == (2, [None])
        assert "what follows frame 2" in capture.notes[-1]
