from __future__ import annotations

import asyncio
from typing import Any

import pytest
from ipywidgets.widgets import widget as registry

from icws_explore.notebook.explorer.live.send_form import MAX_FIELDS, MAX_REPLIES, SendForm
from icws_explore.protocol import candid
from icws_explore.protocol.errors import DidError, SessionClosedError, StateError, ValueMismatchError
from support.candid_cases import TREE_DID
from support.lab_requests import eventually

ORDER = "record { name : text; count : opt nat64; side : variant { buy; sell : record { price : float64 } } }"


def tell(form: SendForm, **message: Any) -> None:
    """What send_form.js sends."""
    form._handle_custom_msg(message, [])


def order(**more: Any) -> dict[str, Any]:
    return {"name": "x", "count": None, "side": {"buy": None}} | more


class TestFields:
    def test_give_the_value_and_both_texts(self) -> None:
        form = SendForm(ORDER)
        sell = {"case": 1, "value": ["1.5"]}
        tell(form, do="form", contents=["tea", {"some": str(2**64 - 1)}, sell], n=1)
        assert form.value == {"name": "tea", "count": 2**64 - 1, "side": {"sell": {"price": 1.5}}}
        assert '"count": 18446744073709551615' in form.json
        assert "count = opt 18446744073709551615;" in form.candid
        assert form.seen == 1

    def test_that_cannot_be_read_are_named_and_the_texts_wait(self) -> None:
        form = SendForm(ORDER, value=order())
        before = form.json
        tell(form, do="form", contents=["tea", {"some": "-1"}, {"case": 1, "value": ["x"]}], n=2)
        assert form.problems == [
            ["1/s", "nat64 goes from 0 to 18446744073709551615"],
            ["2/v/0", "this is no number (float64): write 1.5, 1e9, inf or nan"],
        ]
        assert form.json == before
        with pytest.raises(ValueMismatchError, match="count: nat64 goes from"):
            _ = form.value

    def test_begin_with_a_value(self) -> None:
        form = SendForm(ORDER, value=order(name="tea"))
        assert form.value == order(name="tea")
        assert form.contents[0] == "tea"

    def test_of_a_value_that_is_too_large_are_left_to_the_text(self) -> None:
        form = SendForm("vec nat", value=list(range(MAX_FIELDS + 1)))
        assert (form.is_large, form.contents) == (True, None)
        tell(form, do="text", which="json", text="[1]", n=1)
        assert (form.is_large, form.contents, form.value) == (False, ["1"], [1])

    def test_survive_what_is_no_form(self) -> None:
        form = SendForm(ORDER)
        for contents in (None, 5, [], ["a", "b"], {"case": 9}, ["x", {"some": None}, {"case": 7, "value": 1}]):
            tell(form, do="form", contents=contents, n=1)
            assert form.problems
        tell(form, do="nothing known")
        form._handle_custom_msg("text", [])


class TestTexts:
    @pytest.mark.parametrize(
        ("which", "text"),
        [
            ("json", '{"name": "tea", "side": {"sell": {"price": 2}}}'),
            ("candid", 'record { name = "tea"; side = variant { sell = record { price = 2 } } }'),
        ],
    )
    def test_lead_the_fields_and_the_other_text(self, which: str, text: str) -> None:
        form = SendForm(ORDER)
        tell(form, do="text", which=which, text=text, n=4)
        assert form.contents == ["tea", None, {"case": 1, "value": ["2.0"]}]
        assert form.value == order(name="tea", side={"sell": {"price": 2}})
        assert getattr(form, which) == text  # what is being typed is not written over
        other = form.candid if which == "json" else form.json
        assert "tea" in other
        assert form.problems == []

    @pytest.mark.parametrize(
        ("which", "text", "reason"),
        [
            ("json", '{"name": 5}', "name: a string (text) must stand here"),
            ("candid", "record { name = 5 }", "line 1, column 17: expected a text in \"quotes\", found '5'"),
        ],
    )
    def test_that_are_wrong_say_so_in_a_line_and_change_nothing(self, which: str, text: str, reason: str) -> None:
        sent: list[Any] = []
        form = SendForm(ORDER, on_send=sent.append, value=order())
        tell(form, do="text", which=which, text=text, n=1)
        assert form.text_problem == [which, reason]
        assert form.value == order()
        tell(form, do="send")  # not the value from before the edit
        assert (sent, form.status[0]) == ([], "bad")
        assert reason in form.status[1]


class TestSending:
    def test_calls_with_the_value(self) -> None:
        sent: list[Any] = []
        form = SendForm(ORDER, on_send=sent.append, value=order())
        tell(form, do="send")
        assert sent == [order()]
        assert form.status == ["good", "sent"]

    def test_names_the_first_field_that_cannot_be_read(self) -> None:
        sent: list[Any] = []
        form = SendForm("record { to : principal; tree : opt nat8 }", on_send=sent.append)
        tell(form, do="form", contents=["", {"some": "300"}], n=1)
        tell(form, do="send")
        assert sent == []
        assert form.status == ["bad", "not sent: to: write a principal, such as aaaaa-aa, and 1 more"]

    async def test_waits_for_a_coroutine_and_says_why_it_failed(self) -> None:
        async def fail(_value: Any) -> None:
            raise SessionClosedError(4000, "Ack message timeout")

        form = SendForm("nat", on_send=fail)
        tell(form, do="send")
        await eventually(lambda: form.status[0] == "bad")
        assert "Ack message timeout" in form.status[1]
        form.close()

    async def test_says_what_the_coroutine_says(self) -> None:
        async def send(value: Any) -> str:
            return f"sent {value}"

        form = SendForm("nat", on_send=send)
        tell(form, do="send")
        await eventually(lambda: form.status == ["good", "sent 0"])
        form.close()

    def test_is_refused_with_the_reason(self) -> None:
        sent: list[Any] = []
        form = SendForm("nat", on_send=sent.append)
        form.refusal = "the session is closed: connect again"
        tell(form, do="send")
        assert (sent, form.status) == ([], ["bad", "the session is closed: connect again"])

    def test_an_error_of_ours_is_one_line(self) -> None:
        def refuse(_value: Any) -> None:
            raise StateError("Connection is not established yet")

        form = SendForm("nat", on_send=refuse)
        tell(form, do="send")
        assert form.status == ["bad", "Connection is not established yet"]


class TestType:
    def test_that_is_not_known_is_asked_for(self) -> None:
        told: list[candid.Type] = []
        form = SendForm(on_type=told.append)
        assert form.needs_type
        tell(form, do="form", contents=["x"], n=1)  # late, from the form before
        tell(form, do="type", text="record { a : nope }")
        assert form.status == ["bad", "line 1, column 14: the type nope is not defined"]
        tell(form, do="type", text="record { a : nat }")
        assert (form.needs_type, form.status, form.value) == (False, ["", ""], {"a": 0})
        assert told == [candid.parse_type("record { a : nat }")]

    def test_may_be_recursive(self) -> None:
        form = SendForm(TREE_DID)
        tell(form, do="text", which="json", text='{"branch": {"left": {"leaf": 1}, "right": {"leaf": 2}}}', n=1)
        assert form.contents == {
            "case": 1, "value": [{"case": 0, "value": "1"}, {"case": 0, "value": "2"}],
        }  # fmt: skip

    def test_that_is_wrong_leaves_nothing_open(self) -> None:
        before = set(registry._instances)
        with pytest.raises(DidError):
            SendForm("record {")
        with pytest.raises(ValueMismatchError):
            SendForm("nat", value="x")
        assert set(registry._instances) == before

    def test_hostile_names_stay_data(self) -> None:
        form = SendForm(candid.Record((candid.Field("<img src=x onerror=alert(1)>\n__proto__", candid.NAT),)))
        assert form.nodes[0]["parts"][0][0].startswith("<img")
        assert "\n" not in form.hint
        assert "<img" not in form._repr_mimebundle_()[0]["text/html"]


class TestReplies:
    def test_are_the_last_few_each_in_one_line(self) -> None:
        form = SendForm("nat")
        for number in range(5):
            form.show_reply(number, f"line\n{number}")
        assert [number for number, _ in form.replies] == [2, 3, 4]
        assert len(form.replies) == MAX_REPLIES
        assert all("\n" not in text for _, text in form.replies)


class TestTheEnd:
    def test_closes_the_layout_too(self) -> None:
        before = set(registry._instances)
        form = SendForm(ORDER)
        assert set(registry._instances) > before
        form.close()
        form.close()
        assert set(registry._instances) == before

    async def test_cancels_what_still_runs(self) -> None:
        started, ended = asyncio.Event(), []
        loop = asyncio.get_running_loop()

        async def send(_value: Any) -> None:
            loop.call_soon_threadsafe(started.set)
            try:
                await asyncio.sleep(3600)
            finally:
                ended.append(True)

        form = SendForm("nat", on_send=send)
        tell(form, do="send")
        await asyncio.wait_for(started.wait(), 60)
        form.close()
        assert ended == [True]
