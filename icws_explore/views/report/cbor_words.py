"""The head of a CBOR item in words: ``58 20`` is "byte string, 32 bytes".

Source: RFC 8949, section 3.
"""

from __future__ import annotations

from typing import Final

from icws_explore.protocol.errors import count_of

_TREE_FORMS: Final = {0: "empty", 1: "fork", 2: "labeled", 3: "leaf", 4: "pruned"}
_NAMES: Final = ("unsigned integer", "negative integer", "byte string", "text", "array", "map")
_NOUNS: Final = {2: "byte", 3: "byte", 4: "element", 5: "pair"}
_SIMPLE: Final = {20: "false", 21: "true", 22: "null", 23: "undefined", 25: "float of 16 bits",
                  26: "float of 32 bits", 27: "float of 64 bits"}  # fmt: skip


def cbor_words(data: bytes) -> str:
    """The head at the beginning of ``data``, and the number in a hash tree's node if one follows.

    Empty if the head is incomplete or not CBOR.
    """
    words, size = _head(data)
    if not size:
        return ""
    if data[0] in (0x81, 0x82, 0x83) and len(data) == 2 and data[1] in _TREE_FORMS:
        return f"{data[:1].hex()}: {words}; {data[1]:02x}: {_TREE_FORMS[data[1]]}"
    return f"{data[:size].hex(' ')}: {words}"


def _head(data: bytes) -> tuple[str, int]:
    """The first item's head in words, and its size in bytes; 0 for what is not a whole head."""
    major, info = (data[0] >> 5, data[0] & 31) if data else (0, 28)
    size = 1 + (1 << (info - 24)) if 24 <= info < 28 else 1
    if 28 <= info < 31 or len(data) < size:
        return "", 0
    if major == 7:
        return ("break, the end of an item of indefinite length" if info == 31 else _SIMPLE.get(info, "simple")), 1
    if info == 31:
        return (f"{_NAMES[major]}, indefinite length", 1) if 2 <= major <= 5 else ("", 0)
    number = int.from_bytes(data[1:size], "big") if size > 1 else info
    if major in (0, 1):
        where = "this byte" if size == 1 else f"the next {count_of(size - 1, 'byte')}"
        return f"{_NAMES[major]}, in {where}", 1
    if major == 6:
        return f"tag {number}", size
    return f"{_NAMES[major]}, {count_of(number, _NOUNS[major])}", size
