"""Packet captures: pcap and pcapng, every link that is read, several sessions, damage of every kind."""

import itertools
import random
import struct
import tracemalloc
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.frames import Opcode

from icws_explore.capture import load, save
from icws_explore.capture import packets as pcap_module
from icws_explore.capture.packets import is_pcap, load_pcap
from icws_explore.capture.upgrade import Upgrade
from icws_explore.protocol.errors import CaptureError
from support import packets
from support.cost import growth
from support.packets import SWITCHED, UPGRADE, Talk
from support.raw_tcp import frame

ASKED = UPGRADE.replace(b"Host:", b"Sec-WebSocket-Protocol: icws, other\r\nHost:")
CONFIRMED = SWITCHED.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: other\r\n\r\n")
DOWN, UP = frame(Opcode.BINARY, b"down" * 100), frame(Opcode.BINARY, b"up", masked=True)


def session(**where):
    return Talk(**where).opened().down(DOWN[:100]).down(DOWN[100:]).up(UP).fin("server").fin("client")


def seen(capture):
    return [(f.direction, f.op, f.data, f.code) for f in capture.frames]


EXPECTED = [("in", "binary", b"down" * 100, None), ("out", "binary", b"up", None), ("in", "close", b"", 1006)]


@pytest.fixture
def write(tmp_path):
    numbers = itertools.count()

    def write(content):
        path = tmp_path / f"packets {next(numbers)}"
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
        assert capture.info.gateway_url == "ws://gw.example:8080/path?…"
        assert (capture.info.origin, capture.info.started_at) == ("pcap", "2023-11-14T22:13:22.000Z")

    def test_nanoseconds(self, write):
        capture = load_pcap(write(packets.pcap(session().packets, nano=True)))
        assert [frame.t - 1_700_000_000 for frame in capture.frames] == [5, 6, 7]

    def test_ipv6(self, write):
        ends = {"client": (bytes(15) + b"\1", 40_000), "server": (bytes(15) + b"\2", 8080)}
        assert seen(load_pcap(write(packets.pcap(session(**ends).packets)))) == EXPECTED

    @pytest.mark.parametrize("tags", [b"\x81\0\0\5", b"\x88\xa8\0\5\x81\0\0\6"])
    def test_virtual_networks(self, write, tags):
        tagged = [(t, data[:12] + tags + data[12:]) for t, data in session().packets]
        assert seen(load_pcap(write(packets.pcap(tagged)))) == EXPECTED

    def test_extension_headers_of_ipv6(self, write):
        ends = {"client": (bytes(15) + b"\1", 40_000), "server": (bytes(15) + b"\2", 8080)}
        hop = b"\x06\0\1\4\0\0\0\0"  # TCP follows; padding
        extended = [
            (t, d[:18] + (int.from_bytes(d[18:20]) + 8).to_bytes(2) + b"\0" + d[21:54] + hop + d[54:])
            for t, d in session(**ends).packets
        ]
        assert seen(load_pcap(write(packets.pcap(extended)))) == EXPECTED

    @pytest.mark.parametrize("link", ["ethernet", "raw"])
    @pytest.mark.parametrize("version", [4, 6])
    def test_large_segments_and_lengths_left_to_the_hardware(self, write, link, version):
        ends = {"client": (bytes(15) + b"\1", 40_000), "server": (bytes(15) + b"\2", 8080)} if version == 6 else {}
        talk = Talk(link=link, **ends).opened()
        for size in (1_990, 2_000, 2_048, 2_100, 60_000):
            talk.down(frame(Opcode.BINARY, bytes([size % 251]) * size))
        start = 14 if link == "ethernet" else 0
        at = start + (4 if version == 6 else 2)
        for stated in (True, False):
            content = talk.packets if stated else [(t, d[:at] + b"\0\0" + d[at + 2 :]) for t, d in talk.packets[4:]]
            capture = load_pcap(write(packets.pcap([*talk.packets[:4], *content[-5:]], link=link)))
            assert [len(frame.data) for frame in capture] == [1_990, 2_000, 2_048, 2_100, 60_000]
            assert all(len(set(frame.data)) == 1 for frame in capture)

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
        with pytest.raises(CaptureError, match="whose URL contains"):
            load_pcap(path, url="other")


class TestNeverOpened:
    def test_another_status_than_101_is_kept(self, write):
        talk = Talk().opened(b"HTTP/1.1 403 No\r\n\r\n").fin("server")
        capture = load_pcap(write(packets.pcap(talk.packets)))
        (upgrade,) = [Upgrade.of(frame) for frame in capture.frames]
        assert upgrade == Upgrade("ws://gw.example:8080/path?q=1", 403)
        assert capture.notes == ["the session (ws://gw.example:8080/path?…) never opened: status 403"]

    def test_beside_one_that_opened(self, write):
        refused = Talk(client=(b"\x0a\x00\x00\x03", 40_001)).opened(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
        capture = load_pcap(write(packets.pcap(sorted(session().packets + refused.packets))))
        statuses = {frame.session: frame.code for frame in capture.frames if frame.op == "response"}
        assert list(statuses.values()) == [502]
        (other,) = set(capture.session_ids).difference(statuses)
        assert seen(capture.session(other)) == EXPECTED

    def test_only_those_asked_for(self, write):
        path = write(packets.pcap(Talk().opened(b"HTTP/1.1 403 No\r\n\r\n").packets))
        with pytest.raises(CaptureError, match="no WebSocket whose URL contains 'other'"):
            load_pcap(path, url="other")

    @pytest.mark.parametrize(
        ("asked", "answer", "sends", "failed"),
        [
            (ASKED, SWITCHED, False, True),
            (ASKED, SWITCHED, True, False),  # not a browser, which drops the connection
            (ASKED, CONFIRMED, False, False),
            (UPGRADE, SWITCHED, False, False),
        ],
    )
    def test_a_subprotocol_that_is_not_confirmed(self, write, asked, answer, sends, failed):
        talk = Talk().opened(answer, asked).down(DOWN)
        capture = load_pcap(write(packets.pcap((talk.up(UP) if sends else talk).rst("client").packets)))
        upgrades = [upgrade for frame in capture.frames if (upgrade := Upgrade.of(frame)) is not None]
        assert upgrades == ([Upgrade("ws://gw.example:8080/path?q=1", 101, "", "icws, other")] if failed else [])
        assert [frame.t for frame in capture.frames] == sorted(frame.t for frame in capture.frames)


class TestNone:
    def test_tls_only_says_what_to_do(self, write):
        with pytest.raises(CaptureError, match="icws tap"):
            load_pcap(write(packets.pcap(Talk().up(b"\x16\x03\x01" + bytes(50)).packets)))

    @pytest.mark.parametrize("talk", [Talk().up(b"hello"), Talk().up(b"GET / HTTP/1.1\r\n\r\n"), Talk().down(DOWN)])
    def test_no_session_from_its_start_on(self, write, talk):
        with pytest.raises(CaptureError, match="no opening handshake of a WebSocket"):
            load_pcap(write(packets.pcap(talk.packets)))

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            (b"", "not a packet capture, it is empty"),
            (b"nonsense", "not a packet capture"),
            (b'{"log": {}}', "not a packet capture, it is a HAR file"),
            (b"\xd4\xc3\xb2\xa1", "without packets .*header is cut short"),
            (b"\x0a\x0d\x0d\x0a" + bytes(40), "without packets .*byte order"),
            (packets.pcap([]), "a packet capture without packets$"),
            (packets.pcapng([]), "a packet capture without packets$"),
        ],
    )
    def test_no_packet_capture(self, write, content, why):
        with pytest.raises(CaptureError, match=why) as raised:
            load_pcap(write(content))
        assert "\n" not in str(raised.value)

    def test_another_link(self, write):
        content = bytearray(packets.pcap(session().packets))
        content[20:24] = struct.pack("<I", 105)
        with pytest.raises(CaptureError, match="link of unknown type 105"):
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

    def test_a_missing_packet_is_noted(self, write):
        talk = session()
        del talk.packets[4]
        capture = load_pcap(write(packets.pcap(talk.packets)))
        assert any("packets are missing" in note for note in capture.notes)

    def test_a_missing_packet_ends_both_directions(self, write):
        """The client's side alone would look as if the gateway had fallen silent."""
        talk = Talk().opened().down(DOWN).up(UP).down(DOWN).up(UP).down(DOWN).up(UP)
        whole = load_pcap(write(packets.pcap(talk.packets)))
        assert len(whole) == 6
        lost = talk.packets[6]  # the second message of the gateway
        talk.packets.remove(lost)
        capture = load_pcap(write(packets.pcap(talk.packets)))
        # When it was lost is not known; what the client sent since the gateway's last one may be its answer.
        assert seen(capture) == seen(whole)[:1]
        assert capture.notes == [
            "the session: packets are missing in the file; everything after the first 2.000 s is left out"
        ]

    def test_packets_recorded_in_part_are_noted(self, write):
        talk = session()
        cut = [(t, data[:200]) for t, data in talk.packets]
        content = bytearray(packets.pcap(cut))
        at = 24
        for _, data in talk.packets:  # dpkt's writer knows no original length
            content[at + 12 : at + 16] = struct.pack("<I", len(data))
            at += 16 + min(len(data), 200)
        with_tail = load_pcap(write(bytes(content)))
        assert any("only partly recorded: record whole packets (tcpdump -s 0)" in note for note in with_tail.notes)

    def test_impossible_times_are_those_of_the_packet_before(self, write, tmp_path):
        content = bytearray(packets.pcapng(session().packets))
        at = content.rindex(struct.pack("<I", 6)) + 12  # the time of the last packet
        content[at : at + 8] = b"\xff" * 8
        capture = load_pcap(write(bytes(content)))
        assert any("an impossible time" in note for note in capture.notes)
        assert load(save(capture, tmp_path / "s.icws")).frames == capture.frames

    def test_fragments_of_ip_are_noted(self, write):
        talk = session()
        t, data = talk.packets[4]
        talk.packets[4] = (t, data[:20] + b"\x20" + data[21:])  # more fragments follow
        assert any("an IP fragment" in note for note in load_pcap(write(packets.pcap(talk.packets))).notes)

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
        assert "is left out: too many messages" in capture.notes[-1]

    def test_messages_that_unpack_to_much_are_bounded(self, write, monkeypatch):
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        bomb = packer.compress(bytes(1_000_000)) + packer.flush(zlib.Z_SYNC_FLUSH)
        assert len(bomb) < 2_000
        answer = SWITCHED[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
        talk = Talk().opened(answer)
        message = bytes([0xC2, 126]) + len(bomb[:-4]).to_bytes(2) + bomb[:-4]
        for _ in range(20):
            talk.down(message)
        monkeypatch.setattr(pcap_module, "MAX_BYTES", 5_000_000)
        capture = load_pcap(write(packets.pcap(talk.packets)))
        assert [len(frame.data) for frame in capture] == [1_000_000] * 5
        assert "too large ones" in capture.notes[-1]

    def test_compressed_messages_count_against_the_size_of_their_packets(self, write, monkeypatch):
        answer = SWITCHED[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
        talk = Talk().opened(answer)
        compressor = zlib.compressobj(wbits=-15)
        bomb = compressor.compress(bytes(1_000_000)) + compressor.flush(zlib.Z_SYNC_FLUSH)
        for _ in range(20):
            talk.down(bytes([0xC2, 126]) + len(bomb[:-4]).to_bytes(2) + bomb[:-4])
        monkeypatch.setattr(pcap_module, "FREE_BYTES", 3_000_000)
        capture = load_pcap(write(packets.pcap(talk.packets)))
        assert sum(len(frame.data) for frame in capture) <= 4_000_000
        assert "too large ones" in capture.notes[-1]


class TestWork:
    """Small files that ask for much work: eight times the file is about eight times the work, and not its square."""

    TIMES = 8
    MOST = 24  # between 8 and its square

    def test_of_headers_in_headers(self, write):
        inner = bytes([0x45, 0]) + (0).to_bytes(2) + bytes(5) + b"\x04" + bytes(10)  # IP in IP in IP …
        hops = bytes([0, 0]) + bytes(6)  # IPv6 extension headers in a row
        six = bytes([0x60, 0, 0, 0, 0, 0, 0, 64]) + bytes(32)

        def deep(size):
            data = [inner * 6_000 * size, six + hops * 12_000 * size, bytes(12) + b"\x08\x00" + inner * 375 * size]
            return packets.pcap([(1.0, each) for each in data for _ in range(10)], link="raw")

        self.check(write, deep)

    def test_of_segments_that_wait(self, write):
        def waiting(size):
            ahead = 230 * size
            talk = Talk().opened()
            talk.server_sequence += 100_000
            for _ in range(ahead):
                talk.down(b"xx")
            for _ in range(1_000 * size):
                talk.up(b"")
            talk.server_sequence -= 100_000 + 2 * ahead
            for _ in range(1_000 * size):
                talk.down(b"")
            return packets.pcap(talk.packets)

        self.check(write, waiting)

    def test_of_a_message_in_very_many_frames(self, write):
        def pieces(size):
            talk = Talk().opened().down(b"\x02\x01x")
            for _ in range(12 * size):
                talk.down(b"\x00\x01x" * 400)
            return packets.pcap(talk.packets)

        self.check(write, pieces)

    def test_of_options_of_an_interface(self, write):
        def options(size):
            count = 100_000 * size
            head = struct.pack("<IIHHI", 1, 16 + 4 * count + 4, 1, 0, 0)
            return packets.pcapng([]) + head + struct.pack("<HH", 7, 0) * count + head[4:8]

        self.check(write, options)

    def check(self, write, content):
        small, large = (write(content(size)) for size in (1, self.TIMES))
        assert growth(lambda: self.read(small), lambda: self.read(large)) < self.MOST

    def read(self, path):
        try:
            load_pcap(path)
        except CaptureError as error:
            assert "\n" not in str(error)
