"""Packets out of files: several interfaces and sections, both byte orders, every unit of time, damaged blocks."""

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.capture import packets as packet_file
from icws_explore.capture.files import Notes
from icws_explore.capture.packets import read_packets
from support import packets


def read(content):
    notes = Notes()
    return list(read_packets(io.BufferedReader(io.BytesIO(content)), notes)), notes


def block(kind, body, order="<"):
    body += bytes(-len(body) % 4)
    size = len(body) + 12
    return struct.pack(f"{order}II", kind, size) + body + struct.pack(f"{order}I", size)


def section(order="<"):
    return block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link=1, order="<", options=b""):
    return block(1, struct.pack(f"{order}HHI", link, 0, 0) + options, order)


def packet(data, ticks, number=0, order="<", original=None):
    size = len(data) if original is None else original
    head = struct.pack(f"{order}IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(data), size)
    return block(6, head + data, order)


def resolution(value, order="<"):
    return struct.pack(f"{order}HHB3x", 9, 1, value)


class TestPcapng:
    @pytest.mark.parametrize("order", "<>")
    def test_both_byte_orders(self, order):
        content = section(order) + interface(101, order) + packet(b"abc", 1_500_000, 0, order)
        assert read(content) == ([(1.5, 101, b"abc", False)], [])

    def test_every_interface_has_its_own_link_and_clock(self):
        offset = struct.pack("<HHq", 14, 8, 1000)
        content = section() + interface(1) + interface(0, options=resolution(9)) + interface(276, options=offset)
        content += packet(b"a", 2_000_000) + packet(b"b", 3_000_000_000, 1) + packet(b"c", 4_000_000, 2)
        assert read(content)[0] == [(2.0, 1, b"a", False), (3.0, 0, b"b", False), (1004.0, 276, b"c", False)]

    @pytest.mark.parametrize(("value", "ticks"), [(0, 1), (3, 1000), (6, 10**6), (9, 10**9), (0x80, 1), (0x8A, 1024)])
    def test_units_of_time(self, value, ticks):
        found, _ = read(section() + interface(options=resolution(value)) + packet(b"a", 7 * ticks))
        assert [packet.t for packet in found] == [7.0]

    def test_a_second_section_describes_its_own_interfaces(self):
        content = section() + interface(1) + packet(b"a", 0)
        content += section(">") + interface(101, ">") + packet(b"b", 1_000_000, 0, ">")
        assert [(packet.link, packet.data) for packet in read(content)[0]] == [(1, b"a"), (101, b"b")]

    def test_packet_blocks_of_old(self):
        body = struct.pack("<HHIIII", 0, 3, 0, 5_000_000, 2, 9) + b"ab"
        assert read(section() + interface() + block(2, body))[0] == [(5.0, 1, b"ab", True)]

    def test_what_has_no_time_is_left_out_and_noted(self):
        content = section() + interface() + block(3, struct.pack("<I", 2) + b"ab") + packet(b"a", 0)
        found, notes = read(content)
        assert [packet.data for packet in found] == [b"a"]
        assert notes == ["a packet without a time (a simple packet block) is left out"]

    def test_other_blocks_are_passed_over(self):
        content = section() + block(0x0BAD, b"custom") + interface() + block(4, b"names") + packet(b"a", 0)
        assert [packet.data for packet in read(content)[0]] == [b"a"]

    def test_a_packet_that_was_cut(self):
        assert read(section() + interface() + packet(b"abcd", 0, original=1500))[0][0].was_cut


class TestDamage:
    def test_a_damaged_block_costs_itself(self):
        content = section() + interface() + packet(b"a", 0) + packet(b"b", 0, 7) + block(6, b"short") + packet(b"c", 0)
        found, notes = read(content)
        assert [packet.data for packet in found] == [b"a", b"c"]
        assert notes[0] == "a damaged block near packet 2 is left out (no interface 7)"
        assert len(notes) == 2

    def test_a_captured_length_that_is_a_lie_stays_in_its_block(self):
        content = bytearray(section() + interface() + packet(b"abcd", 0) + packet(b"next", 0))
        at = content.index(b"abcd")
        content[at - 8 : at - 4] = b"\xff" * 4
        assert [packet.data for packet in read(bytes(content))[0]] == [b"abcd", b"next"]

    @pytest.mark.parametrize("size", [0, 11, 2**31, 2**32 - 1])
    def test_a_block_of_no_size_or_too_much_ends_the_reading(self, size):
        found, notes = read(section() + interface() + packet(b"a", 0) + struct.pack("<II", 6, size) + bytes(100))
        assert [packet.data for packet in found] == [b"a"]
        assert "torn or damaged after packet 1" in notes[0]

    def test_a_section_without_a_byte_order(self):
        broken = section().replace(b"\x4d\x3c\x2b\x1a", b"\0\0\0\0")
        assert read(broken)[0] == []
        found, notes = read(section() + interface() + packet(b"a", 0) + broken)
        assert (len(found), len(notes)) == (1, 1)

    def test_impossible_times(self):
        found, notes = read(section() + interface() + packet(b"a", 5_000_000) + packet(b"b", 2**64 - 1))
        assert [packet.t for packet in found] == [5.0, 5.0]
        assert "an impossible time" in notes[0]

    @pytest.mark.parametrize("whole", [packets.pcap, packets.pcapng])
    def test_a_file_cut_anywhere_keeps_its_whole_packets(self, whole):
        content = whole([(float(number), bytes([number]) * 20) for number in range(5)])
        for length in range(len(content)):
            found, notes = read(content[:length])
            assert [packet.data for packet in found] == [bytes([number]) * 20 for number in range(len(found))]
            assert len(notes) <= 1

    @given(st.binary(max_size=200), st.sampled_from([b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\x3c\x4d", section(), b""]))
    def test_any_input(self, tail, head):
        content = head + tail
        if content[:4] == b"\n\r\r\n" or head:
            found, notes = read(content)
            assert len(found) + len(notes) <= 100

    def test_interfaces_are_bounded(self, monkeypatch):
        monkeypatch.setattr(packet_file, "MAX_INTERFACES", 2)
        found, notes = read(section() + interface() * 5 + packet(b"a", 0, 1) + packet(b"b", 0, 2))
        assert ([packet.data for packet in found], len(notes)) == ([b"a"], 1)


class TestPcap:
    @pytest.mark.parametrize(("magic", "order"), [("a1b2c3d4", ">"), ("d4c3b2a1", "<")])
    @pytest.mark.parametrize("flags", [0, 0x2400_0000])
    def test_byte_orders_and_the_check_sums_length_above_the_link(self, magic, order, flags):
        head = bytes.fromhex(magic) + struct.pack(f"{order}HHIIII", 2, 4, 0, 0, 0, 101 | flags)
        content = head + struct.pack(f"{order}IIII", 3, 500_000, 2, 9) + b"ab"
        assert read(content) == ([(3.5, 101, b"ab", True)], [])

    def test_nanoseconds(self):
        assert read(packets.pcap([(1.5, b"a")], nano=True))[0][0].t == 1.5
