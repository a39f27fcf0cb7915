"""The checks of written canisters, of releases and of encryption."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from icws_explore.notebook.exercises import canisters, releases, sealing
from icws_explore.protocol.candid import parse_type
from icws_explore.protocol.canister import App
from support.data_files import SESSIONS

TEXT = parse_type("text")
MINUTE_NS = 60 * 10**9


def poll(*, traps: bool = False, tells_all: bool = True) -> Callable[[], App]:
    def make() -> App:
        votes: dict[str, int] = {}

        def on_message(context: Any, client: Any, name: str) -> None:
            if traps and not name:
                context.trap("no vote")
            if not 1 <= len(name) <= 20:
                return
            votes[name] = votes.get(name, 0) + 1
            total = f"{name}: {votes[name]}"
            if tells_all:
                context.broadcast(total)
            else:
                context.send(client, total)

        return App("poll", TEXT, on_message=on_message)

    return make


def strict(limit_ns: int = MINUTE_NS, *, hears: bool = True) -> Callable[[], App]:
    def make() -> App:
        heard: dict[Any, int] = {}

        def note(context: Any, client: Any, _message: Any = None) -> None:
            heard[client] = context.now_ns

        def look(context: Any) -> None:
            for client in context.clients:
                if context.now_ns - heard[client] > limit_ns:
                    context.close(client)

        def on_init(context: Any) -> None:
            context.every(5_000, look)

        return App("strict", TEXT, on_open=note, on_message=note if hears else None, on_init=on_init)

    return make


class TestCallers:
    def test_hints(self) -> None:
        assert canisters.check_callers(dict(canisters.METHODS)).ok
        assert "the keys" in canisters.check_callers({"ws_open": "client"}).text
        assert "2 of 4 are wrong" in canisters.check_callers(dict.fromkeys(canisters.METHODS, "client")).text


class TestPoll:
    def test_counts_tells_all_and_ignores_the_rest(self) -> None:
        assert canisters.check_poll(poll()).ok

    @pytest.mark.parametrize(
        ("answer", "hint"),
        [
            (7, "a function that returns an App"),
            (lambda: 7, "must return an App, not int"),
            (poll(traps=True), "your canister trapped"),
            (poll(tells_all=False), "a client received []"),
        ],
    )
    def test_hints(self, answer: Any, hint: str) -> None:
        check = canisters.check_poll(answer)
        assert check.ok is False
        assert hint in check.text


class TestStrict:
    def test_closes_the_silent_and_not_the_others(self) -> None:
        assert canisters.check_strict(strict()).ok

    @pytest.mark.parametrize(
        ("answer", "hint"),
        [
            (7, "a function that returns an App"),
            (poll(), "still there after four minutes"),
            (strict(MINUTE_NS // 6), "instead of a minute"),
            (strict(hears=False), "speaks every 20 s was closed"),
        ],
    )
    def test_hints(self, answer: Any, hint: str) -> None:
        check = canisters.check_strict(answer)
        assert check.ok is False
        assert hint in check.text


class TestReleases:
    def test_the_recordings_are_told_apart_by_their_first_frames(self) -> None:
        cases = releases.cases(SESSIONS)
        opened = {letter: any(frame.kind == "open" for frame in case) for letter, case in cases.items()}
        named = {
            letter: next(frame.open_args.gateway_principal for frame in case if frame.open_args)
            for letter, case in cases.items()
        }
        answer = {
            letter: "0.1.2" if named[letter] is None else "0.5.0" if len(cases[letter]) > 8 else "0.3.4"
            for letter in opened
        }
        assert releases.check_versions(answer).ok

    @pytest.mark.parametrize(
        ("answer", "hint"),
        [
            (7, "a dictionary with the keys a, b, c"),
            (dict.fromkeys("abc", "0.5.0"), "each of them once"),
            ({"a": "0.1.2", "b": "0.5.0", "c": "0.3.4"}, "2 are wrong"),
        ],
    )
    def test_hints(self, answer: Any, hint: str) -> None:
        check = releases.check_versions(answer)
        assert check.ok is False
        assert hint in check.text

    def test_the_time_out_follows_the_interval_from_0_3_2_on(self) -> None:
        def waits(version: str, interval_s: float, *, key: Callable[[str], Any]) -> float:
            if key(version) >= key("0.3.2"):
                return interval_s + 30
            return 450 if version == "0.3.1" else 90

        def numbers(version: str) -> list[int]:
            return [int(part) for part in version.split(".")]

        assert releases.check_ack_timeout_function(lambda v, i: waits(v, i, key=numbers)).ok
        as_text = releases.check_ack_timeout_function(lambda v, i: waits(v, i, key=str))
        assert "compare numbers, not text" in as_text.text
        assert "for 0.1.2" in releases.check_ack_timeout_function(lambda _v, _i: 330).text
        assert "the answer is a function" in releases.check_ack_timeout_function(330).text


def seal(key: bytes, sender: str, number: int, text: str) -> bytes:
    nonce = os.urandom(12)
    return nonce + AESGCM(key).encrypt(nonce, text.encode(), f"{sender} {number}".encode())


def unseal(key: bytes, sender: str, number: int, data: bytes) -> str:
    return AESGCM(key).decrypt(data[:12], data[12:], f"{sender} {number}".encode()).decode()


def bound_to(*names: str) -> tuple[Any, Any]:
    """A cipher that authenticates only the named parts."""

    def bound(sender: str, number: int) -> tuple[str, int]:
        return sender if "sender" in names else "", number if "number" in names else 0

    return (
        lambda key, sender, number, text: seal(key, *bound(sender, number), text),
        lambda key, sender, number, data: unseal(key, *bound(sender, number), data),
    )


class TestSealed:
    def test_an_authenticated_cipher_that_binds_sender_and_number(self) -> None:
        assert sealing.check_sealed((seal, unseal)).ok

    @pytest.mark.parametrize(
        ("answer", "hint"),
        [
            (seal, "a pair of functions"),
            ((lambda *_: "text", unseal), "must return bytes, not str"),
            ((seal, lambda *_: "?"), "does not give back the text"),
            ((lambda _k, _s, _n, text: text.encode(), lambda _k, _s, _n, data: data.decode()), "can read a part"),
            ((lambda _k, _s, _n, text: text.encode()[::-1], lambda *given: given[3][::-1].decode()), "the same text"),
            (bound_to("number"), "another sender's name"),
            (bound_to("sender"), "repeated under another number"),
        ],
    )
    def test_hints(self, answer: Any, hint: str) -> None:
        check = sealing.check_sealed(answer)
        assert check.ok is False
        assert hint in check.text


@pytest.mark.parametrize(
    "check",
    [
        canisters.check_callers, canisters.check_poll, canisters.check_strict, releases.check_versions,
        releases.check_ack_timeout_function, sealing.check_sealed,
    ],
)  # fmt: skip
def test_an_open_exercise_says_what_to_write(check: Any) -> None:
    assert check(...).ok is None
    assert "replace the three dots with your answer: write " in check(...).text
