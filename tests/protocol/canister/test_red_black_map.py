"""The tree of the Rust library: the expected values come from ic-certification 2.6.0 with the same entries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol.canister.red_black_map import RedBlackMap
from icws_explore.protocol.hashtree import Found, disorder, encode, lookup, root_hash

EMPTY_ROOT = "38d15004c78f18ca6d46ff5752f2a3cc22887288d577f2deb9b933fd1595e8e6"
keys = st.text("ab", max_size=5).map(str.encode)
changes = st.lists(st.tuples(keys, st.binary(max_size=2) | st.none()), max_size=60)


def value(number: int) -> bytes:
    return bytes([number]) * 32


def numbered(first: int, last: int) -> RedBlackMap:
    """k10 … k29 with 32 times the number as the value, inserted in that order."""
    result = RedBlackMap()
    for number in range(first, last + 1):
        result = result.insert(b"k%d" % number, value(number))
    return result


def after(made: list[tuple[bytes, bytes | None]]) -> tuple[RedBlackMap, dict[bytes, bytes]]:
    """A map and a dict after the same changes; None removes a key."""
    result, content = RedBlackMap(), dict[bytes, bytes]()
    for key, new in made:
        if new is None:
            result = result.remove(key)
            content.pop(key, None)
        else:
            result = result.insert(key, new)
            content[key] = new
    return result, content


class TestRustLibrary:
    def test_an_empty_map(self) -> None:
        assert RedBlackMap().root_hash.hex() == EMPTY_ROOT
        assert numbered(10, 10).remove(b"k10").root_hash.hex() == EMPTY_ROOT

    def test_ascending_keys_and_removal(self) -> None:
        held = numbered(10, 29)
        assert held.root_hash.hex() == "156107c4d1f52cbee32bea86d35fff498d88feb2c5fcff513f5fc82c6e843c77"
        for number in (10, 11, 12, 13, 14, 22):
            held = held.remove(b"k%d" % number)
        assert held.root_hash.hex() == "b27d17e603db9ab26188f3f6c3080ced48da39d095afd8ba94d6fabd5d186319"
        assert encode(held.witness([b"k17", b"k18", b"k19"])).hex() == (
            "d9d9f7830249776562736f636b657483018301830182045820bb7450d3f1ecbea714550cae01fdd5ef67d4e860aa1fc1254369"
            "70743474cb7483018302436b31378203582011111111111111111111111111111111111111111111111111111111111111118302"
            "436b313882035820121212121212121212121212121212121212121212121212121212121212121283018302436b313982035820"
            "131313131313131313131313131313131313131313131313131313131313131382045820c20741445791b29352c286c280514e1b"
            "9c5e22e9dccb7db73a1622259f1e373a82045820fb3ed96aa965a6a572779978e412d1d687b097c78892ee7988d0873bdff3ccfb"
        )

    def test_a_tree_of_three(self) -> None:
        held = RedBlackMap().insert(b"b", value(2)).insert(b"a", value(1)).insert(b"c", value(3))
        a = "8301820458 2099855f42dfb0f17e018ab8bc4b59754b48c34928d43e96b3d26e16f0807a18d8"
        b = f"8301 83024162 82035820 {value(2).hex()}"
        c = "82045820 a342f89b858ad0c26b74f3b6fffe9581fecdc2e2842d54ca358b03f52d3ecb87"
        head = "d9d9f7 830249776562736f636b6574"
        assert encode(held.witness([b"b"])) == bytes.fromhex(f"{head}{a}{b}{c}")
        whole = f"{head}{a}{b} 83024163 82035820 {value(3).hex()}"
        assert encode(held.witness([b"b", b"c"])) == bytes.fromhex(whole)

    def test_a_value_replaced(self) -> None:
        held = RedBlackMap().insert(b"b", value(2)).insert(b"a", value(1)).insert(b"c", value(3)).insert(b"b", value(9))
        assert held.root_hash.hex() == "3697e39e007ddf284c35a668365e1ad93a856a010c85f737977ed4d6fee04521"
        held = held.remove(b"a").remove(b"b")
        assert held.root_hash.hex() == "9b9273b954ba880e0f46543e827aeadab51c7361570c53d5b0bcf8f697d3b319"


class TestMap:
    @given(changes)
    def test_behaves_as_a_dict(self, made: list[tuple[bytes, bytes | None]]) -> None:
        held, content = after(made)
        assert list(held) == sorted(content)
        for key, new in made:
            assert held.get(key) == content.get(key)
            assert (key in held) is (key in content)
            assert new is None or isinstance(lookup(held.tree, (held.label, key)), Found) is (key in content)
        assert disorder(held.tree) is None

    @given(changes, keys)
    def test_an_old_version_does_not_change(self, made: list[tuple[bytes, bytes | None]], key: bytes) -> None:
        held, content = after(made)
        before = held.root_hash
        held.insert(key, b"new")
        held.remove(key)
        for each in content:
            held.remove(each)
        assert held.root_hash == before
        assert list(held) == sorted(content)

    def test_removing_an_absent_key_changes_nothing(self) -> None:
        held = numbered(10, 12)
        assert held.remove(b"k13") is held

    def test_stays_shallow(self) -> None:
        """A witness of one key of a thousand has at most two hashes a level and 2 log2(n) levels."""
        held = RedBlackMap()
        for number in range(1000):
            held = held.insert(b"%04d" % number, b"")
        assert max(len(encode(held.witness([b"%04d" % number]))) for number in range(0, 1000, 37)) < 40 * 2 * 20


class TestWitness:
    @given(changes, st.data())
    def test_shows_the_range_and_nothing_else(
        self, made: list[tuple[bytes, bytes | None]], data: st.DataObject
    ) -> None:
        held, content = after(made)
        if not content:
            return
        wanted = data.draw(st.lists(st.sampled_from(sorted(content)), min_size=1))
        witness = held.witness(wanted)
        assert root_hash(witness) == held.root_hash
        for key, new in content.items():
            found = lookup(witness, (held.label, key))
            assert (found == Found(new)) is (min(wanted) <= key <= max(wanted))

    def test_without_keys(self) -> None:
        assert root_hash(numbered(10, 29).witness([])) == numbered(10, 29).root_hash
        assert root_hash(RedBlackMap().witness([])).hex() == EMPTY_ROOT

    def test_of_an_absent_key(self) -> None:
        with pytest.raises(KeyError):
            numbered(10, 12).witness([b"k10", b"k99"])
