"""Reading a Candid message from its first byte on: numbers, text, bytes, and the budget for values.

The type table, the values and the annotated view are all read with a `Reader`. Numbers are LEB128 and may be
longer than necessary, as the specification's own tests require, up to the lengths in limits.py.

Source: Candid specification, "Binary Format".
"""

from __future__ import annotations

from typing import Final, NoReturn

from ..errors import count_of
from .limits import (
    MAX_COUNT_BYTES,
    MAX_NUMBER_BYTES,
    MAX_TYPE_PARTS,
    MAX_VALUES,
    VALUES_FREE,
    VALUES_PER_BYTE,
)

STACK_USED_UP: Final = "is nested too deep for the rest of the stack"  # the fault where Python's stack ends first


class Fault(Exception):  # noqa: N818 - control flow; users see a CandidError
    """Why reading stopped. ``offset`` is a byte of the message, ``path`` the steps to the value, innermost first."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.offset = offset
        self.path: list[str | int] = []


class Mismatch(Fault):
    """A well-formed value that does not fit the expected type. An ``opt`` around it becomes None."""


class Reader:
    """A position in ``data``, and the budget that is left: ``left`` values and ``type_parts_left`` parts of types."""

    __slots__ = ("data", "end", "left", "pos", "type_parts_left")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.pos = 0
        self.end = len(data)
        left = VALUES_FREE + VALUES_PER_BYTE * self.end
        self.left = left if left < MAX_VALUES else MAX_VALUES  # noqa: FURB136 -- min() takes as long as the rest
        self.type_parts_left = MAX_TYPE_PARTS

    def charge(self, values: int) -> None:
        """Takes ``values`` from the budget, before the values are read. Raises Fault if it is used up."""
        self.left -= values
        if self.left < 0:
            raise Fault(f"asks for too many values for its {self.end} bytes", self.pos)

    def charge_type(self, parts: int) -> None:
        """Takes ``parts`` of a type from the budget, before they are read. Raises Fault if it is used up."""
        self.type_parts_left -= parts
        if self.type_parts_left < 0:
            raise Fault(f"the type table has more than {MAX_TYPE_PARTS} fields and methods", self.pos)

    def short(self, what: str, need: int) -> NoReturn:
        """Raises the Fault of a message that ends too early."""
        left = self.end - self.pos
        raise Fault(f"{what} needs {count_of(need, 'byte')}, {left} {'is' if left == 1 else 'are'} left", self.pos)

    def byte(self, what: str) -> int:
        pos = self.pos
        if pos >= self.end:
            self.short(what, 1)
        self.pos = pos + 1
        return self.data[pos]

    def take(self, size: int, what: str) -> bytes:
        pos = self.pos
        end = pos + size
        if end > self.end:
            self.short(what, size)
        self.pos = end
        return self.data[pos:end]

    def count(self, what: str) -> int:
        """An unsigned number of at most 64 bits: a length, a count, an index or a field id."""
        pos = self.pos
        if pos >= self.end:
            self.short(what, 1)
        byte = self.data[pos]
        if byte < 0x80:
            self.pos = pos + 1
            return byte
        value = self._unsigned(MAX_COUNT_BYTES, what)
        if value >> 64:
            raise Fault(f"{what} is more than 64 bits", pos)
        return value

    def items(self, what: str, least_size: int) -> int:
        """A count of things that take at least ``least_size`` bytes each. Raises Fault for more than can follow."""
        pos = self.pos
        count = self.count(what)
        if count * least_size > self.end - self.pos:
            left = count_of(self.end - self.pos, "byte")
            raise Fault(f"{what} is {count}, too many for the {left} left", pos)
        return count

    def type_code(self, what: str) -> int:
        """A signed number of at most 64 bits: an opcode or an index into the type table."""
        pos = self.pos
        if pos >= self.end:
            self.short(what, 1)
        byte = self.data[pos]
        if byte < 0x80:
            self.pos = pos + 1
            return byte - 0x80 if byte & 0x40 else byte
        return self._signed(MAX_COUNT_BYTES, what)

    def text(self, what: str) -> str:
        size = self.count(what)
        raw = self.take(size, what)
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Fault(f"{what} is not UTF-8 ({error.reason})", self.pos - size + error.start) from None

    def nat(self) -> int:
        return self._unsigned(MAX_NUMBER_BYTES, "nat")

    def int_(self) -> int:
        return self._signed(MAX_NUMBER_BYTES, "int")

    def _unsigned(self, limit: int, what: str) -> int:
        size = self._leb_size(limit, what)
        return _join_sevens(self._advance(size))

    def _signed(self, limit: int, what: str) -> int:
        size = self._leb_size(limit, what)
        raw = self._advance(size)
        value = _join_sevens(raw)
        return value - (1 << 7 * size) if raw[-1] & 0x40 else value

    def _advance(self, size: int) -> bytes:
        pos = self.pos
        self.pos = pos + size
        return self.data[pos : pos + size]

    def _leb_size(self, limit: int, what: str) -> int:
        data, start, end = self.data, self.pos, self.end
        pos = start
        while pos < end:
            if data[pos] < 0x80:
                return pos + 1 - start
            pos += 1
            if pos - start >= limit:
                raise Fault(f"{what} is longer than {limit} bytes", start)
        raise Fault(f"{what} ends in the middle", start)


def _join_sevens(raw: bytes) -> int:
    """The number made of the seven low bits of each byte, least significant first; linear in the length."""
    if len(raw) <= 8:
        value = 0
        for byte in reversed(raw):
            value = value << 7 | byte & 0x7F
        return value
    # Eight groups of seven bits are seven bytes, so that int.from_bytes does the long sum.
    return int.from_bytes(
        b"".join(_join_sevens(raw[i : i + 8]).to_bytes(7, "little") for i in range(0, len(raw), 8)), "little"
    )
