"""A recording as spans with the names of the gateway's own tracing."""

from icws_explore.analysis.spans import resource, spans
from icws_explore.capture import load
from support.data_files import SESSIONS
from support.network_side import answered, err, given, received, trapped
from support.session_captures import SessionScript

HEALTHY = load(SESSIONS / "healthy.icws")


class TestSession:
    def test_is_a_handler_with_a_session_and_its_messages(self):
        found = spans(HEALTHY)
        assert [span.name for span in found[:2]] == ["Client Session Handler", "Client Session"]
        assert found[1].parent == 0
        assert found[1].attributes["canister_id"] == HEALTHY.info.canister_id
        names = [span.name for span in found[2:]]
        assert (names.count("Client Message"), names.count("Canister Message")) == (7, 8)
        assert {span.parent for span in found[2:]} == {1}

    def test_messages_have_the_gateways_attributes_and_ours(self):
        message = next(span for span in spans(HEALTHY) if span.name == "Canister Message")
        assert message.attributes["message_key"].endswith("_00000000000000000000")
        assert message.attributes["canister_id"] == HEALTHY.info.canister_id
        assert message.attributes["icws.kind"] == "open"
        assert message.attributes["icws.sequence_num"] == "1"

    def test_spans_lie_within_their_parents(self):
        found = spans(HEALTHY)
        for span in found:
            assert span.start_ns <= span.end_ns
            if span.parent is not None:
                assert found[span.parent].start_ns <= span.start_ns
                assert span.end_ns <= found[span.parent].end_ns

    def test_the_close_is_an_event_and_an_abnormal_one_an_error(self):
        session = spans(HEALTHY)[1]
        assert session.events[-1][0] == "close"
        assert session.error is None
        bad = SessionScript().opened().closed(60.0, code=4000, reason="Ack message timeout").capture
        assert "Ack message timeout" in spans(bad)[1].error

    def test_redacted_spans_hold_no_words(self):
        script = SessionScript().opened().app_says(4.0, "a secret").closed(60.0, code=4000, reason="a secret")
        assert "a secret" in repr(spans(script.capture))
        assert "a secret" not in repr(spans(script.capture, redact=True))

    def test_no_socket_of_another_protocol_has_one(self):
        assert spans(load(SESSIONS / "healthy.icws").session("nobody")) == []


class TestNetworkSide:
    def test_a_poll_is_an_iteration_with_its_relay_and_messages_follow_from_it(self):
        capture = SessionScript().opened().app_says(4.0, "a").capture
        capture = given(capture, capture.frames[3].t - 0.5, received(capture, 3))
        found = spans(capture)
        iteration = next(span for span in found if span.name == "Polling Iteration")
        assert (iteration.attributes["polling_iteration"], iteration.error) == (0, None)
        relay = found.index(next(span for span in found if span.name == "Relay Canister Messages"))
        assert found[relay].parent == found.index(iteration)
        (following,) = [span for span in found if span.follows]
        assert (following.name, following.follows) == ("Canister Message", (relay,))
        assert following.start_ns == found[relay].end_ns < following.end_ns

    def test_a_client_message_lasts_until_the_networks_answer(self):
        capture = SessionScript().opened().client_says(4.0, "a").capture
        found = spans(answered(capture, {3: err("no such client")}, late_s=0.5))
        message = [span for span in found if span.name == "Client Message"][1]
        assert message.end_ns - message.start_ns == 500_000_000
        assert message.error == "no such client"

    def test_redacted_only_how_it_failed(self):
        capture = SessionScript().opened().client_says(4.0, "a").capture
        found = spans(answered(capture, {3: trapped("a secret")}), redact=True)
        assert "a secret" not in repr(found)
        assert [span.error for span in found if span.error] == ["rejected"]


class TestResource:
    def test_is_named_as_the_gateway_names_itself(self):
        assert resource(HEALTHY)["service.name"] == "ic-ws-gw-kebrh"
