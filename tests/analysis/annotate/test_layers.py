"""CBOR layers within layers."""

import pytest

from icws_explore.capture import Frame
from icws_explore.protocol.cbor import dumps
from icws_explore.protocol.messages import Handshake
from icws_explore.protocol.principal import Principal
from support.annotated import AT_S, annotated, app_content, canister_frame, message, vector_frames


def frame(data):
    return Frame(AT_S, "in", "binary", data)


class TestReal:
    @pytest.mark.parametrize("number", range(len(vector_frames())))
    def test_frames_hold_nothing_unexplained(self, number):
        root = annotated(vector_frames()[number])
        assert root.first_fault() is None

    def test_a_handshake(self):
        root = annotated(frame(Handshake(Principal.ANONYMOUS).encode()))
        assert root.find("gateway_principal").meaning == "2vxsx-fae (anonymous)"
        assert root.find(":tag").meaning == "self-describe tag: CBOR follows"


class TestOdd:
    @pytest.mark.parametrize(
        "data",
        [
            "bf616101ff",  # an indefinite map
            "5f4101420203ff",  # an indefinite string
            "a10102",  # a number as a key
            "a1416101",  # bytes as a key
            "c1c2d9d9f700",  # tags on tags
            "f7",
            "fb7ff8000000000000",
            "a2676b6579",
        ],
    )
    def test_cbor_is_read_for_the_eye(self, data):
        annotated(frame(bytes.fromhex(data)))

    def test_what_lies_behind_the_value_is_a_leaf(self):
        root = annotated(frame(Handshake(Principal.ANONYMOUS).encode() + b"more"))
        rest = root.find(":rest") or next(node for node in root.walk() if node.path == ":rest")
        assert (rest.value, rest.fault) == (b"more", "4 bytes too many behind the value")

    def test_layers_do_not_nest_for_ever(self):
        certificate = dumps({"tree": [0]})
        for _ in range(30):
            certificate = dumps({"tree": [0], "delegation": {"subnet_id": b"", "certificate": certificate}})
        root = annotated(canister_frame(message(app_content()).encode(), cert=certificate))
        deepest = max((node.path for node in root.walk()), key=lambda path: path.count("certificate"))
        assert deepest.count("certificate") < 10

    def test_an_empty_layer_is_a_fault(self):
        root = annotated(canister_frame(b"", cert=b""))
        assert [node.path for node in root.walk() if node.fault] == ["content", "cert"]
