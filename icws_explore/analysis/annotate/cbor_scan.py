"""CBOR with the place of every item, read as far as it goes.

`protocol.cbor` decides what is acceptable; this reads for the eye: any well-formed CBOR, tags and
indefinite lengths too, and of broken bytes all that comes before the break. RFC 8949, section 3.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from icws_explore.protocol.errors import CborError

MAX_DEPTH: Final = 100
MAX_ITEMS: Final = 5_000  # a witness of fifty messages has about 600

Major = Literal["uint", "nint", "bytes", "text", "array", "map", "tag", "simple", "float"]
_MAJORS: Final[tuple[Major, ...]] = ("uint", "nint", "bytes", "text", "array", "map", "tag", "simple")


@dataclass(slots=True)
class Item:
    """One data item: its head is ``data[start:head_end]``, all of it ``data[start:end]``.

    ``value`` is the number, the text, the simple value, the tag's number, or a view of the bytes (a
    copy at every layer would be many times the frame). ``items`` are
    an array's elements, a map's keys and values in turn, a tag's one item, or the chunks of an
    indefinite string. An item that was cut short has ``complete`` False.
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
    """Why reading stopped, and at which byte."""

    offset: int
    reason: str


def scan(data: bytes, start: int = 0, end: int | None = None) -> tuple[Item | None, Fault | None]:
    """The item at ``data[start:end]``, and why it is not whole or not alone (None: it is).

    Never raises for what ``data`` holds. Time and memory are bounded by MAX_ITEMS.
    """
    reader = _Scanner(data, start, len(data) if end is None else end)
    try:
        reader.item(None, 0)
    except CborError as error:
        return reader.root, Fault(start if error.offset is None else error.offset, error.reason)
    if reader.at < reader.end:
        return reader.root, Fault(reader.at, f"{reader.end - reader.at} bytes too many behind the value")
    return reader.root, None


class _Scanner:
    def __init__(self, data: bytes, start: int, end: int) -> None:
        self.data = data
        self.view = memoryview(data)
        self.at = start
        self.end = end
        self.left = MAX_ITEMS
        self.root: Item | None = None

    def fail(self, reason: str, offset: int | None = None) -> CborError:
        return CborError("CBOR", reason, self.at if offset is None else offset)

    def item(self, parent: Item | None, depth: int) -> Item:
        """Read one item into ``parent``; it is in the tree before its content is read."""
        start = self.at
        if depth > MAX_DEPTH:
            raise self.fail(f"nested deeper than {MAX_DEPTH}")
        if self.left == 0:
            raise self.fail(f"more than {MAX_ITEMS} items")
        self.left -= 1
        initial = self.take(1)[0]
        major, info = _MAJORS[initial >> 5], initial & 31
        if info in (28, 29, 30) or (info == 31 and major in ("uint", "nint", "tag")):
            self.at = start
            raise self.fail(f"0x{initial:02x} begins no data item")
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
            raise self.fail("a break without anything to end", item.start)
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
                raise self.fail(f"a chunk of an indefinite {item.major} string is another kind", chunk.start)

    def take(self, count: int) -> memoryview:
        if count > self.end - self.at:
            missing = count - (self.end - self.at)
            raise self.fail(f"ends {missing} bytes short")
        taken = self.view[self.at : self.at + count]
        self.at += count
        return taken
