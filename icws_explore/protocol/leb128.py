"""Unsigned LEB128, as the state tree writes `time`.

Source: interface specification, "The system state tree", time: a natural number in LEB128.
"""

from __future__ import annotations

from typing import Final

from .errors import DecodeError

MAX_SIZE: Final = 10  # bytes: what 64 bits take


def decode(data: bytes, *, what: str = "LEB128") -> int:
    """The number in ``data``, at most 64 bits. Raises DecodeError, also for bytes behind the number."""
    number = 0
    for index, byte in enumerate(data[:MAX_SIZE]):
        number |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            if index + 1 != len(data):
                raise DecodeError(what, f"{len(data) - index - 1} bytes too many behind the number", index + 1)
            if number.bit_length() > 64:
                raise DecodeError(what, "the number has more than 64 bits", index)
            return number
    if len(data) < MAX_SIZE:
        raise DecodeError(what, "the number does not end", len(data))
    raise DecodeError(what, "the number has more than 64 bits", MAX_SIZE)


def encode_unsigned(value: int) -> bytes:
    """LEB128 of ``value``, which is not negative, in as few bytes as possible."""
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def encode_signed(value: int) -> bytes:
    """Signed LEB128 of ``value`` in as few bytes as possible."""
    encoded = bytearray()
    while not -64 <= value < 64:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value & 0x7F)
    return bytes(encoded)


def encode(number: int) -> bytes:
    """``number`` (not negative) in as few bytes as it takes."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
