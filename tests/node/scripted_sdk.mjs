// ic-websocket-js itself, without a network: scenes from a file, played on a socket and a clock of our own.
//
//   node scripted_sdk.mjs '{"scenes": "scenes.json"}'
//
// The file holds [{name, seed, client_nonce, canister_id, root_key, ack_interval_ms, start_ms, still_delivers,
// steps}]; a step is {"at_ms"} (time passes, timers fire) or with it one of {"receive": base64}, {"send": text},
// {"close": true}, {"lost": [code, reason]}, {"status": true} (the network answers with its root key).
// Prints {"event": "scene", name, story}: what the SDK sent, called back and closed with, in order.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const real = { setTimeout: globalThis.setTimeout, write: process.stdout.write.bind(process.stdout) };
console.log = console.debug = console.warn = console.error = () => {};

let story = [];

class ScriptedSocket {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSING = 2;
  static CLOSED = 3;
  readyState = ScriptedSocket.OPEN;

  send(data) {
    // A socket that is closing takes what it is given and drops it.
    if (this.readyState === ScriptedSocket.OPEN) story.push(["send", Buffer.from(data).toString("base64")]);
  }

  close(code, reason) {
    if (this.readyState !== ScriptedSocket.OPEN) return;
    this.readyState = ScriptedSocket.CLOSING;
    story.push(["close", code, reason ?? ""]);
  }
}

globalThis.WebSocket = ScriptedSocket;
globalThis.ErrorEvent = class extends Event {
  constructor(type, { error }) {
    super(type);
    this.error = error;
  }
};

// Timers in the order in which they are due, then of their making.
let nowMs = 0;
let timers = [];
let nextTimer = 1;
Date.now = () => nowMs;
globalThis.setTimeout = (callback, ms = 0) => {
  const timer = { id: nextTimer, due: nowMs + ms, callback };
  nextTimer += 1;
  timers.push(timer);
  return timer;
};
globalThis.clearTimeout = (timer) => {
  timers = timers.filter((each) => each !== timer);
};

let answerStatus = null;
globalThis.fetch = () =>
  new Promise((resolve) => {
    answerStatus = resolve;
  });

const { Actor, Cbor, HttpAgent } = require("@dfinity/agent");
const { IDL } = require("@dfinity/candid");
const { Ed25519KeyIdentity } = require("@dfinity/identity");
const { IcWebSocket, createWsConfig } = require("ic-websocket-js");
const sdkIdl = require("ic-websocket-js/lib/cjs/idl.js");

const service = () =>
  IDL.Service({
    ws_open: sdkIdl.wsOpenIdl,
    ws_message: IDL.Func(
      [sdkIdl.wsMessageIdl.argTypes[0], IDL.Opt(IDL.Record({ text: IDL.Text }))],
      sdkIdl.wsMessageIdl.retTypes,
      [],
    ),
  });

const pause = (ms) => new Promise((resolve) => real.setTimeout(resolve, ms));

/** Until the SDK's queues are idle: signing and verifying take real time, whatever the clock says. */
const settle = async (ws) => {
  const busy = (queue) => queue._isProcessing && queue._canProcess;
  let quiet = 0;
  while (quiet < 3) {
    await pause(2);
    quiet = busy(ws._incomingMessagesQueue) || busy(ws._outgoingMessagesQueue) ? 0 : quiet + 1;
  }
};

const advance = async (ws, toMs) => {
  for (;;) {
    const [next] = timers.filter(({ due }) => due <= toMs).sort((a, b) => a.due - b.due || a.id - b.id);
    if (next === undefined) break;
    timers = timers.filter((each) => each !== next);
    nowMs = Math.max(nowMs, next.due);
    next.callback();
    await settle(ws);
  }
  nowMs = Math.max(nowMs, toMs);
};

const open = (scene) => {
  const identity = Ed25519KeyIdentity.generate(Uint8Array.from(Buffer.from(scene.seed, "base64")));
  const agent = HttpAgent.createSync({ host: "http://127.0.0.1:4943", identity });
  const ws = new IcWebSocket(
    "ws://127.0.0.1:8080",
    undefined,
    createWsConfig({
      canisterId: scene.canister_id,
      canisterActor: Actor.createActor(service, { agent, canisterId: scene.canister_id }),
      identity,
      networkUrl: "http://127.0.0.1:4943",
      ackMessageIntervalMs: scene.ack_interval_ms,
    }),
  );
  ws._clientKey.client_nonce = BigInt(scene.client_nonce);
  ws.onopen = () => story.push(["open"]);
  ws.onmessage = ({ data }) => story.push(["message", data.text]);
  ws.onerror = ({ error }) => story.push(["error", error.message]);
  ws.onclose = ({ code, reason }) => story.push(["closed", code, reason]);
  return ws;
};

const step = async (ws, scene, each) => {
  const socket = ws._wsInstance;
  if ("receive" in each) {
    const delivers = socket.readyState === ScriptedSocket.OPEN || (scene.still_delivers && socket.readyState === 2);
    const bytes = Buffer.from(each.receive, "base64");
    if (delivers) socket.onmessage({ data: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) });
  } else if ("send" in each) {
    try {
      ws.send({ text: each.send });
    } catch (error) {
      story.push(["thrown", error.message]);
    }
  } else if ("close" in each) {
    ws.close();
  } else if ("lost" in each) {
    socket.readyState = ScriptedSocket.CLOSED;
    socket.onclose({ code: each.lost[0], reason: each.lost[1] });
  } else if ("status" in each) {
    const rootKey = Uint8Array.from(Buffer.from(scene.root_key, "base64"));
    const body = Cbor.encode({ root_key: rootKey });
    answerStatus({ ok: true, status: 200, headers: new Headers(), arrayBuffer: async () => body });
    await pause(10);
  }
  await settle(ws);
};

for (const scene of JSON.parse(readFileSync(JSON.parse(process.argv[2]).scenes, "utf8"))) {
  [story, timers, nowMs] = [[], [], scene.start_ms];
  const ws = open(scene);
  await pause(2); // the request for the status is on its way
  await ws._wsInstance.onopen();
  for (const each of scene.steps) {
    await advance(ws, each.at_ms);
    await step(ws, scene, each);
  }
  real.write(`${JSON.stringify({ event: "scene", name: scene.name, story })}\n`);
}
process.exit(0);
