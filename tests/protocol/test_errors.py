from __future__ import annotations

import inspect
import pickle

import pytest

from icws_explore.protocol import errors
from icws_explore.protocol.errors import (
    ArgumentTypeError,
    ArgumentValueError,
    CallRejectedError,
    CandidError,
    CborError,
    ConnectError,
    DecodeError,
    DidError,
    IcwsError,
    IdentityError,
    MessageError,
    PrincipalError,
    SessionClosedError,
    StateError,
    ValueMismatchError,
    VerificationError,
    count_of,
)
from icws_explore.protocol.steps import Step

CLASSES = [value for _, value in inspect.getmembers(errors, inspect.isclass) if issubclass(value, Exception)]


class TestTree:
    def test_has_one_root(self) -> None:
        assert all(issubclass(kind, IcwsError) for kind in CLASSES)

    def test_is_drawn_in_the_module(self) -> None:
        assert errors.__doc__ is not None
        drawing = [line.lstrip("│├└─ ").split(" ")[0] for line in errors.__doc__.splitlines()]
        assert {kind.__name__ for kind in CLASSES} <= set(drawing)

    @pytest.mark.parametrize("kind", [CborError, CandidError, PrincipalError, MessageError])
    def test_decoding_errors_are_one_kind(self, kind: type[Exception]) -> None:
        assert issubclass(kind, DecodeError)

    def test_every_class_is_exported(self) -> None:
        assert sorted(kind.__name__ for kind in CLASSES) == errors.__all__

    @pytest.mark.parametrize("kind", [ArgumentTypeError, ValueMismatchError, PrincipalError])
    def test_errors_about_types_are_type_errors(self, kind: type[Exception]) -> None:
        assert issubclass(kind, TypeError)

    @pytest.mark.parametrize(
        "kind", [ArgumentValueError, ValueMismatchError, DecodeError, PrincipalError, DidError, IdentityError]
    )
    def test_errors_about_values_are_value_errors(self, kind: type[Exception]) -> None:
        assert issubclass(kind, ValueError)

    @pytest.mark.parametrize("kind", [StateError, SessionClosedError])
    def test_other_errors_are_neither(self, kind: type[Exception]) -> None:
        assert not issubclass(kind, (TypeError, ValueError))


class TestRejects:
    def test_show_their_text_in_one_line_of_bounded_length(self) -> None:
        error = CallRejectedError("get", 5, "a\nb\x1b[2J" + "x" * 5000, "IC0503", verified=True)
        assert str(error).startswith("get was rejected (5 IC0503): a b�[2Jx")
        assert len(str(error)) < 1100
        assert (error.method, error.code, error.error_code, error.verified) == ("get", 5, "IC0503", True)
        assert str(CallRejectedError("get", 4, "no", verified=False)) == "get was rejected (4): no"

    def test_and_failed_checks_have_their_facts(self) -> None:
        assert ConnectError("no", http_status=404).http_status == 404
        step = Step("signature", False, "wrong")
        assert VerificationError("no", [step]).steps == (step,)


class TestFacts:
    def test_of_decoding(self) -> None:
        error = CborError("envelope", "ends early", 7)
        assert str(error) == "envelope: ends early at byte 7"
        assert (error.what, error.reason, error.offset) == ("envelope", "ends early", 7)
        assert str(CborError("envelope", "ends early")) == "envelope: ends early"
        assert str(CborError("envelope", "ends early", 0)) == "envelope: ends early at byte 0"

    def test_of_a_did_text(self) -> None:
        error = DidError("a name is missing", 3, 14)
        assert str(error) == "line 3, column 14: a name is missing"
        assert (error.reason, error.line, error.column) == ("a name is missing", 3, 14)
        assert str(DidError("no service")) == "no service"

    def test_of_a_value(self) -> None:
        error = ValueMismatchError("msg.sequence_num", "is not a nat64")
        assert str(error) == "msg.sequence_num: is not a nat64"
        assert (error.path, error.reason) == ("msg.sequence_num", "is not a nat64")
        assert str(ValueMismatchError("", "is no record")) == "value: is no record"

    def test_of_a_closed_session(self) -> None:
        assert str(SessionClosedError(1006, "")) == "the session is closed (1006)"
        error = SessionClosedError(4000, "Ack message timeout", "no ack for 3")
        assert str(error) == "the session is closed (4000 Ack message timeout): no ack for 3"
        assert (error.code, error.reason, error.detail) == (4000, "Ack message timeout", "no ack for 3")


class TestTransport:
    """Process pools and test runners send exceptions as pickles."""

    @pytest.mark.parametrize(
        "error",
        [
            CborError("envelope", "ends early", 7),
            PrincipalError("principal", "wrong checksum"),
            ArgumentTypeError("network must be a string, not an int"),
            DidError("a name is missing", 3, 14),
            ValueMismatchError("path", "reason"),
            SessionClosedError(4000, "Ack message timeout"),
            IdentityError("no key"),
        ],
        ids=lambda error: type(error).__name__,
    )
    def test_errors_survive_pickling(self, error: IcwsError) -> None:
        copy = pickle.loads(pickle.dumps(error))
        assert type(copy) is type(error)
        assert str(copy) == str(error)
        assert vars(copy) == vars(error)


class TestCounts:
    def test_are_singular_or_plural(self) -> None:
        assert [count_of(number, "byte") for number in (0, 1, 2)] == ["0 bytes", "1 byte", "2 bytes"]
        assert count_of(2, "entry") == "2 entries"
