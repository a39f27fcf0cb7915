"""The checks of written clients run them: on numbers, in simulations, and in a lab whose gateway dies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from icws_explore.errors import ConnectError, SessionClosedError
from icws_explore.notebook.exercises import clients as exercises


def accepted(numbers: Sequence[int]) -> int:
    return next((at for at, number in enumerate(numbers) if number != at + 1), len(numbers))


def gives_up(sent: Sequence[float], acks: Sequence[float], interval_s: float) -> float | None:
    return max([sent[0], *acks]) + interval_s + 30 if sent else None


async def ask(session: Any, texts: Sequence[str]) -> list[str]:
    answers = []
    for text in texts:
        await session.send({"text": text})
        answers.append((await session.receive(timeout=10))["text"])
    return answers


async def survivor(connect: Callable[[str], Any], gateways: Sequence[str], texts: Sequence[str]) -> list[str]:
    answers: list[str] = []
    session, attempt = None, 0
    while len(answers) < len(texts):
        try:
            session = session or await connect(gateways[attempt % len(gateways)])
            await session.send(texts[len(answers)])
            answers.append(await session.receive(timeout=5))
        except (SessionClosedError, ConnectError, TimeoutError):
            session, attempt = None, attempt + 1
    return answers


class TestAcceptance:
    def test_up_to_the_first_unexpected_number(self) -> None:
        assert exercises.check_acceptance(accepted).ok

    @pytest.mark.parametrize(
        ("answer", "hint"),
        [
            (3, "a function of a list"),
            (len, "of [2, 3] a client accepts 0"),
            (lambda numbers: len(set(numbers)), "a client accepts"),
        ],
    )
    def test_hints(self, answer: Any, hint: str) -> None:
        check = exercises.check_acceptance(answer)
        assert check.ok is False
        assert hint in check.text


class TestGiveUp:
    def test_one_timer_that_every_ack_restarts(self) -> None:
        assert exercises.check_give_up_time(gives_up).ok

    @pytest.mark.parametrize(
        ("answer", "hint"),
        [
            (330, "a function of two lists"),
            (lambda _sent, _acks, _interval: None, "after 336.0 s"),
            (lambda _sent, _acks, interval: interval + 30, "never gives up, and your function returned 330"),
            (lambda sent, _acks, interval: sent[0] + interval + 30 if sent else None, "a client with one ack"),
        ],
    )
    def test_hints(self, answer: Any, hint: str) -> None:
        check = exercises.check_give_up_time(answer)
        assert check.ok is False
        assert hint in check.text


class TestConversation:
    async def test_a_client_that_waits_for_each_answer(self) -> None:
        assert (await exercises.check_conversation(ask)).ok

    async def test_hints(self) -> None:
        async def silent(_session: Any, _texts: Sequence[str]) -> list[str]:
            return []

        async def guesses(session: Any, texts: Sequence[str]) -> list[str]:
            for text in texts:
                await session.send({"text": text})
                await session.receive(timeout=10)
            return list(texts)

        async def hurries(session: Any, texts: Sequence[str]) -> list[str]:
            for text in texts:
                await session.send({"text": text})
            return [(await session.receive(timeout=10))["text"] for _ in texts]

        async def waits(session: Any, _texts: Sequence[str]) -> list[str]:
            return [value["text"] async for value in session]

        hints = {7: "async def", silent: "it sent 0 messages", guesses: "returned ['one'"}
        hints |= {waits: "does not come", hurries: "before the last one was answered"}
        for answer, hint in hints.items():
            check = await exercises.check_conversation(answer)
            assert check.ok is False
            assert hint in check.text


class TestSurvivor:
    async def test_a_client_that_connects_again(self) -> None:
        assert (await exercises.check_survivor(survivor)).ok

    async def test_hints(self) -> None:
        async def stubborn(connect: Callable[[str], Any], gateways: Sequence[str], texts: Sequence[str]) -> list[str]:
            session = await connect(gateways[0])
            for text in texts:
                await session.send(text)
            return list(texts)

        async def idle(_connect: object, _gateways: object, _texts: object) -> list[str]:
            await asyncio.sleep(0)
            return []

        hints = {7: "async def", stubborn: "your client ended with SessionClosedError", idle: "only 0 messages"}
        for answer, hint in hints.items():
            check = await exercises.check_survivor(answer)
            assert check.ok is False
            assert hint in check.text


async def test_an_open_exercise_says_what_to_write() -> None:
    checks = [exercises.check_acceptance(...), exercises.check_give_up_time(...)]
    checks += [await exercises.check_conversation(...), await exercises.check_survivor(...)]
    assert all(check.ok is None for check in checks)
    assert all("write a" in check.text for check in checks)
