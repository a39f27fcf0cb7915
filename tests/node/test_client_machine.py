"""The client machine beside ic-websocket-js 0.5.0: the same scenes, and the same story from both.

A story is what a dapp and a gateway see: frames sent (by what they say), callbacks with their texts,
closes with code and reason. Texts in which the SDK quotes its own decoders are compared up to there.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

from icws_explore.protocol import candid
from icws_explore.protocol.arguments import decode_message_args, decode_open_args
from icws_explore.protocol.certificate import CertificateIssuer
from icws_explore.protocol.client.events import (
    ClientEvent,
    CloseConnection,
    ConnectionClosed,
    Failed,
    MessageReceived,
    Opened,
    SendFrame,
)
from icws_explore.protocol.client.machine import ClientConfig, ClientMachine
from icws_explore.protocol.client.states import ClientState
from icws_explore.protocol.constants import NS_PER_MS
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.errors import StateError
from icws_explore.protocol.keys import Ed25519Identity
from icws_explore.protocol.messages import CanisterMessage, ClientKey, Handshake
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import (
    AckMessage,
    CloseMessage,
    CloseReason,
    KeepAliveMessage,
    OpenMessage,
    decode_service,
)
from support.certified_canister import CANISTER_ID, GATEWAY, CertifiedCanister
from support.machine_after_close import MachineAfterClose
from support.node_peer import run_script

pytestmark = [pytest.mark.node, pytest.mark.slow]

START_MS = 1_700_000_000_000
SEED = bytes(range(32))
IDENTITY = Ed25519Identity.from_secret(SEED)
KEY = ClientKey(IDENTITY.principal, 2**63 + 5)
STRANGER = ClientKey(IDENTITY.principal, 1)
TEXT = candid.parse_type("record { text : text }")
HELLO = candid.encode([TEXT], [{"text": "hello"}])
HANDSHAKE = Handshake(GATEWAY).encode()
ACK_INTERVAL_MS = 2_000
ACK_TIMEOUT_MS = ACK_INTERVAL_MS + 30_000
SEEDS = range(30)
# Texts of ic-websocket-js itself behind "Error receiving message: ", to be the same to the letter.
OURS = ("[onWsMessage] ", "Could not find certified data")

Story = list[list[Any]]


@dataclass
class Scene:
    """What happens to a client; ``canister`` certifies at the scene's now."""

    name: str
    still_delivers: bool = False
    is_key_late: bool = False
    now_ms: int = START_MS
    steps: list[dict[str, Any]] = field(default_factory=list)
    canister: CertifiedCanister = field(default_factory=lambda: CertifiedCanister(KEY))

    def __post_init__(self) -> None:
        if not self.is_key_late:
            self.step(status=True)

    def step(self, **what: Any) -> Scene:
        self.steps.append({"at_ms": self.now_ms} | what)
        return self

    def wait(self, ms: int) -> Scene:
        self.now_ms += ms
        return self.step()

    def frame(self, data: bytes) -> Scene:
        return self.step(receive=base64.b64encode(data).decode())

    def says(self, what: Any, off_ms: int = 0, **changes: Any) -> Scene:
        return self.frame(self.canister.says(what, (self.now_ms + off_ms) * NS_PER_MS, **changes))

    def opened(self) -> Scene:
        return self.frame(HANDSHAKE).says(OpenMessage(KEY))

    def send(self, text: str = "hi") -> Scene:
        return self.step(send=text)

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "seed": base64.b64encode(SEED).decode(),
            "client_nonce": str(KEY.client_nonce),
            "canister_id": CANISTER_ID.text,
            "root_key": base64.b64encode(self.canister.root_key).decode(),
            "ack_interval_ms": ACK_INTERVAL_MS,
            "start_ms": START_MS,
            "still_delivers": self.still_delivers,
            "steps": self.steps,
        }


def wrong_key(scene: Scene) -> bytes:
    message = CanisterMessage.decode(scene.canister.says(HELLO, scene.now_ms * NS_PER_MS))
    return CanisterMessage("wrong-key", message.content, message.cert, message.tree).encode()


def of_another_canister(scene: Scene) -> Scene:
    scene.canister.canister_id = Principal.from_text("rrkah-fqaaa-aaaaa-aaaaq-cai")
    return scene


SCENES: dict[str, Callable[[Scene], Any]] = {
    "a healthy session": lambda s: s.opened().send().says(AckMessage(1)).says(HELLO).send().step(close=True),
    "no handshake": lambda s: s.frame(b"\xa0"),
    "noise first": lambda s: s.frame(b"\xff\xff"),
    "noise later": lambda s: s.opened().frame(b"\xff\xff"),
    "no canister message": lambda s: s.opened().frame(HANDSHAKE),
    "a wrong key": lambda s: s.opened().frame(wrong_key(s)),
    "another canister": lambda s: of_another_canister(s.frame(HANDSHAKE)).says(OpenMessage(KEY)),
    "another root key": lambda s: s.frame(HANDSHAKE).frame(
        CertifiedCanister(KEY, issuer=_other_issuer()).says(OpenMessage(KEY), s.now_ms * NS_PER_MS)
    ),
    "a gap": lambda s: s.opened().says(HELLO, sequence_num=3),
    "a repetition": lambda s: s.opened().says(HELLO, sequence_num=1),
    "a stranger's open message": lambda s: s.frame(HANDSHAKE).says(OpenMessage(STRANGER)),
    "a stranger's message": lambda s: s.opened().says(HELLO, client_key=STRANGER),
    "a keep-alive from the canister": lambda s: s.opened().says(KeepAliveMessage(1)),
    "service noise": lambda s: s.opened().says(b"noise", is_service_message=True),
    "another application type": lambda s: s.opened().says(candid.encode([candid.NAT64], [7])),
    "opened twice": lambda s: s.opened().says(OpenMessage(KEY)).send(),
    "an ack before the open message": lambda s: s.frame(HANDSHAKE).says(AckMessage(0)).says(OpenMessage(KEY)).send(),
    "a message before the open message": lambda s: s.frame(HANDSHAKE).says(HELLO).says(OpenMessage(KEY)),
    "an ack of nothing": lambda s: s.opened().says(AckMessage(5)).wait(ACK_TIMEOUT_MS),
    "an ack too high": lambda s: s.opened().send().says(AckMessage(2)),
    "an ack in time": lambda s: s.opened().send().wait(ACK_TIMEOUT_MS - 1).says(AckMessage(1)).wait(ACK_TIMEOUT_MS),
    "an ack too late": lambda s: s.opened().send().wait(ACK_TIMEOUT_MS).says(AckMessage(1)),
    "expired at an ack": lambda s: (
        s.opened().send().wait(1).send().wait(500).says(AckMessage(1)).wait(ACK_TIMEOUT_MS - 500).says(AckMessage(1))
    ),
    "sent before it is open": lambda s: s.frame(HANDSHAKE).send().says(OpenMessage(KEY)).send(),
    "never opened": lambda s: s.frame(HANDSHAKE).wait(59_999).wait(1),
    "opened in the last moment": lambda s: s.frame(HANDSHAKE).wait(59_999).says(OpenMessage(KEY)).wait(9_000),
    "the certificate as old as may be": lambda s: s.opened().says(HELLO, off_ms=-300_000),
    "the certificate too old": lambda s: s.opened().says(HELLO, off_ms=-300_001),
    "the certificate as young as may be": lambda s: s.opened().says(HELLO, off_ms=300_000),
    "the certificate too young": lambda s: s.opened().says(HELLO, off_ms=300_001),
    "lost": lambda s: s.opened().send().step(lost=[1006, ""]).wait(ACK_TIMEOUT_MS).send(),
    "closed and lost": lambda s: s.opened().send().step(close=True).says(HELLO).step(lost=[1006, ""]).send(),
    **{f"closed: {reason}": lambda s, reason=reason: s.opened().says(CloseMessage(reason)) for reason in CloseReason},
}


def _other_issuer() -> CertificateIssuer:
    return CertificateIssuer(b"another root")


def by_name() -> list[Scene]:
    scenes = []
    for name, play in SCENES.items():
        scene = Scene(name)
        play(scene)
        scenes.append(scene)
    late = Scene("the root key comes too late", is_key_late=True)
    scenes.append(late.opened().step(status=True).says(HELLO))
    goes_on = Scene("it goes on after its close", still_delivers=True).opened().send().frame(b"\xff")
    scenes.append(goes_on.says(HELLO).says(AckMessage(9)).frame(b"\xff").says(AckMessage(1)).wait(ACK_TIMEOUT_MS))
    outlived = Scene("the open timer outlives the connection", still_delivers=True).frame(HANDSHAKE)
    scenes.append(outlived.step(lost=[1006, ""]).wait(60_000))
    return scenes


def at_random(seed: int) -> Scene:
    """A session that is mostly healthy, with waits around the timers' lengths.

    As a replay, because the SDK's timers run on for as long as its socket is closing.
    """
    dice = random.Random(seed)
    scene, sent = Scene(f"random {seed}", still_delivers=True).opened(), 0
    for _ in range(dice.randrange(4, 12)):
        match dice.choice(["send", "send", "ack", "ack", "app", "wait", "long", "odd"]):
            case "send":
                scene.send()
                sent += 1
            case "ack":
                scene.says(AckMessage(dice.choice([0, sent, sent, sent + 1])))
                sent += 1  # the keep-alive
            case "app":
                scene.says(HELLO)
            case "wait":
                scene.wait(dice.choice([1, 999, 15_000, 16_000]))
            case "long":
                scene.wait(ACK_TIMEOUT_MS + dice.choice([-1, 0, -15_000]))
            case "odd":
                scene.says(HELLO, sequence_num=scene.canister.sequence_num + dice.choice([1, 1, 1, 2, 0]))
    return scene


def our_story(scene: Scene) -> Story:
    config = ClientConfig(
        CANISTER_ID,
        None if scene.is_key_late else scene.canister.root_key,
        ACK_INTERVAL_MS,
        application_type=TEXT,
    )
    kind = MachineAfterClose if scene.still_delivers else ClientMachine
    machine = kind(config, IDENTITY, entropy=bytes, client_nonce=KEY.client_nonce)
    story: Story = []
    for step in scene.steps:
        now_ns = step["at_ms"] * NS_PER_MS
        events = machine.tick(now_ns)
        if "receive" in step:
            events += machine.receive(base64.b64decode(step["receive"]), now_ns)
        elif "send" in step:
            if machine.state is ClientState.CLOSING and not scene.still_delivers:
                story += told(events)
                continue  # the SDK takes it and loses it, this client says so: the one difference that is meant
            try:
                events += machine.send(candid.encode([TEXT], [{"text": step["send"]}]), now_ns)
            except StateError as error:
                story += told(events)
                events = []
                story.append(["thrown", str(error)])
        elif "close" in step:
            events += machine.close(now_ns)
        elif "lost" in step:
            events += machine.connection_lost(*step["lost"], now_ns)
        elif "status" in step:
            machine.set_root_key(scene.canister.root_key)
        story += told(events)
    return story


def told(events: list[ClientEvent]) -> Story:
    story: Story = []
    for event in events:
        match event:
            case SendFrame(data):
                story.append(["send", *sent(data)])
            case CloseConnection(code, reason):
                story.append(["close", code, reason])
            case ConnectionClosed(code, reason):
                story.append(["closed", code, reason])
            case Failed(text):
                story.append(["error", text])
            case Opened():
                story.append(["open"])
            case MessageReceived(value=value):
                story.append(["message", value["text"]])
    return story


def sent(frame: bytes) -> list[Any]:
    """What a frame says, without its signature and its nonce."""
    envelope = Envelope.decode_frame(frame)
    arg = envelope.arg or b""
    if envelope.method_name == "ws_open":
        what: Any = decode_open_args(arg)
    else:
        message = decode_message_args(arg)
        content = decode_service(message.content) if message.is_service_message else message.content
        what = (str(message.client_key), message.sequence_num, message.timestamp_ns, content)
    return [envelope.method_name, str(envelope.sender), str(envelope.canister_id), envelope.ingress_expiry_ns, what]


def their_story(raw: Story) -> Story:
    return [["send", *sent(base64.b64decode(line[1]))] if line[0] == "send" else line for line in raw]


def comparable(story: Story, other: Story) -> Story:
    """``story``, its errors cut where one of the two quotes its own decoder."""
    return [
        ["error", "Error receiving message: …"] if quotes_a_decoder(line) and quotes_a_decoder(beside) else line
        for line, beside in zip_longest(story, other)
        if line is not None
    ]


def quotes_a_decoder(line: list[Any] | None) -> bool:
    if line is None or line[0] != "error" or not line[1].startswith("Error receiving message: "):
        return False
    return not any(text in line[1] for text in OURS)


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return by_name() + [at_random(seed) for seed in SEEDS]


@pytest.fixture(scope="module")
def their_stories(scenes: list[Scene], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Story]:
    path: Path = tmp_path_factory.mktemp("scenes") / "scenes.json"
    path.write_text(json.dumps([scene.as_json() for scene in scenes]))
    run = run_script("scripted_sdk.mjs", {"scenes": str(path)}, timeout_s=110)
    assert run.exit_code == 0, run.stderr
    return {event["name"]: their_story(event["story"]) for event in run.all("scene")}


NAMES = [scene.name for scene in by_name()] + [f"random {seed}" for seed in SEEDS]


@pytest.mark.parametrize("name", NAMES)
def test_gives_the_same_explanation(name: str, scenes: list[Scene], their_stories: dict[str, Story]) -> None:
    ours = our_story(next(scene for scene in scenes if scene.name == name))
    theirs = their_stories[name]
    assert comparable(ours, theirs) == comparable(theirs, ours)


def test_the_scenes_are_no_idle_ones(their_stories: dict[str, Story]) -> None:
    """Every close that the SDK can make here is made, and the healthy session is healthy."""
    reasons = {line[2] for story in their_stories.values() for line in story if line[0] == "close"}
    assert reasons == {
        "",
        "ClosedByApplication",
        "Open connection timeout",
        "Error receiving message",
        "Service message error",
        "Ack message error",
        "Ack message timeout",
        "Received close message from canister",
    }
    healthy = [line[0] for line in their_stories["a healthy session"]]
    assert healthy == ["send", "open", "send", "send", "message", "send", "close"]
