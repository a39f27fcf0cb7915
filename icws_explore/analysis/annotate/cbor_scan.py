"""CBOR with the place of every item, read as far as possible.

`protocol.cbor` decides what is accepted. This module reads any well-formed CBOR, including tags and simple values that
the protocol does not use. Of broken CBOR it reads all that comes before the fault.

Source: RFC 8949, section 3.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from icws_explore.protocol.errors import CborError, count_of

from .limits import MAX_CBOR_DEPTH, MAX_CBOR_ITEMS

Major = Literal["uint", "nint", "bytes", "text", "array", "map", "tag", "simple", "float"]
_MAJORS: Final[tuple[Major, ...]] = ("uint", "nint", "bytes", "text", "array", "map", "tag", "simple")


@dataclass(slots=True)
class Item:
    """One data item, ``data[start:end]``. Its head is ``data[start:head_end]``.

    ``value`` is the number, the text, the simple value, the number of the tag, or a view of the bytes (copies at
    every layer would take many times the size of the frame). ``items`` are the elements of an array, the keys and
    values of a map in turn, the item of a tag, or the chunks of an indefinite string. ``indefinite`` items have no
    length in their head and end with a break byte. An item that ends too early has ``complete`` False.
    """

    major: Major
    start: int
    head_end: int
    end: int
    value: Any = None
    items: list[Item] = field(default_factory=list)
    indefinite: bool = False
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """Why reading stopped, and the offset of the byte where it stopped."""

    offset: int
    reason: str


def scan(data: bytes, start: int = 0, end: int | None = None) -> tuple[Item | None, Fault | None]:
    """The item at ``data[start:end]``, and the fault, if it is not complete or not the only one.

    Never raises for the contents of ``data``. Time and memory are bounded by MAX_CBOR_ITEMS.
    """
    reader = _Scanner(data, start, len(data) if end is None else end)
    try:
        reader.item(None, 0)
    except CborError as error:
        return reader.root, Fault(start if error.offset is None else error.offset, error.reason)
    if reader.at < reader.end:
        return reader.root, Fault(reader.at, f"{count_of(reader.end - reader.at, 'byte')} too many after the value")
    return reader.root, None


class _Scanner:
    def __init__(self, data: bytes, start: int, end: int) -> None:
        self.data = data
        self.view = memoryview(data)
        self.at = start
        self.end = end
        self.left = MAX_CBOR_ITEMS
        self.root: Item | None = None

    def fail(self, reason: str, offset: int | None = None) -> CborError:
        return CborError("CBOR", reason, self.at if offset is None else offset)

    def item(self, parent: Item | None, depth: int) -> Item:
        """Reads one item and adds it to ``parent``. It is in the tree before its content is read."""
        start = self.at
        if depth > MAX_CBOR_DEPTH:
            raise self.fail(f"nested more than {MAX_CBOR_DEPTH} deep")
        if self.left == 0:
            raise self.fail(f"more than {MAX_CBOR_ITEMS} items")
        self.left -= 1
        initial = self.take(1)[0]
        major, info = _MAJORS[initial >> 5], initial & 31
        if info in (28, 29, 30) or (info == 31 and major in ("uint", "nint", "tag")):
            self.at = start
            raise self.fail(f"no data item begins with 0x{initial:02x}")
        item = Item(major, start, self.at, self.at, indefinite=info == 31 and major != "simple")
        if parent is None:
            self.root = item
        else:
            parent.items.append(item)
        try:
            self.content(item, info, depth)
            item.complete = True
        finally:
            item.end = self.at
        return item

    def content(self, item: Item, info: int, depth: int) -> None:
        argument = info if info < 24 else None
        if 24 <= info < 28:
            argument = int.from_bytes(self.take(1 << (info - 24)), "big")
        item.head_end = self.at
        if item.major == "simple":
            self.simple(item, info, argument)
        elif argument is None:
            self.until_break(item, depth)
        elif item.major in ("uint", "nint"):
            item.value = argument if item.major == "uint" else -1 - argument
        elif item.major in ("bytes", "text"):
            self.string(item, argument)
        else:
            item.value = argument
            count = {"array": argument, "map": 2 * argument, "tag": 1}[item.major]
            for _ in range(count):
                self.item(item, depth + 1)

    def string(self, item: Item, length: int) -> None:
        content = self.take(length)
        if item.major == "bytes":
            item.value = content
            return
        try:
            item.value = str(content, "utf-8")
        except UnicodeDecodeError as error:
            raise self.fail("text that is not UTF-8", item.head_end + error.start) from error

    def simple(self, item: Item, info: int, argument: int | None) -> None:
        if argument is None:
            raise self.fail("a break byte outside an item of indefinite length", item.start)
        if info in (25, 26, 27):
            item.major = "float"
            item.value = struct.unpack({25: ">e", 26: ">f", 27: ">d"}[info], self.data[item.start + 1 : self.at])[0]
        else:
            item.value = {20: False, 21: True, 22: None}.get(argument, f"simple({argument})")

    def until_break(self, item: Item, depth: int) -> None:
        while True:
            if self.at < self.end and self.data[self.at] == 0xFF:
                if item.major == "map" and len(item.items) % 2:
                    raise self.fail("a key without a value")
                self.at += 1
                return
            chunk = self.item(item, depth + 1)
            if item.major in ("bytes", "text") and (chunk.major != item.major or chunk.indefinite):
                raise self.fail(f"a chunk of a {item.major} string is no {item.major} string", chunk.start)

    def take(self, count: int) -> memoryview:
        if count > self.end - self.at:
            raise self.fail(f"ends {count_of(count - (self.end - self.at), 'byte')} too early")
        taken = self.view[self.at : self.at + count]
        self.at += count
        return taken
