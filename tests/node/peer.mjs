// ic-websocket-js itself, driven through one ping-pong session.
//
//   node peer.mjs '{"gateway_url": …, "network_url": …, "canister_id": …, "identity": "ed25519",
//                   "ack_interval_ms": 2000, "rounds": 20, "acks": 3}'
//
// Answers the canister's pings until `rounds` of its own messages were answered and `acks` AckMessages
// each got a keep-alive; plays one more round; closes. Every event and every frame is one line of JSON on stdout.
// Exit code 0: closed as meant. 1: anything else.

import { createRequire } from "node:module";

import { Actor, Cbor, HttpAgent } from "@dfinity/agent";
import { IDL } from "@dfinity/candid";

import { makeIdentity } from "./identities.mjs";
import { install, report } from "./recording.mjs";

const require = createRequire(import.meta.url);
const socketClass = install();
const { IcWebSocket, createWsConfig } = require("ic-websocket-js");
const sdkIdl = require("ic-websocket-js/lib/cjs/idl.js");

const config = JSON.parse(process.argv[2]);
const { rounds = 20, acks = 3, timeout_ms: timeoutMs = 60_000 } = config;

// As a dapp's generated declarations have it: the second argument of ws_message names the message type.
const AppMessage = IDL.Record({ text: IDL.Text, timestamp: IDL.Nat64 });
const [messageArg] = sdkIdl.wsMessageIdl.argTypes;
const service = () =>
  IDL.Service({
    ws_open: sdkIdl.wsOpenIdl,
    ws_message: IDL.Func([messageArg, IDL.Opt(AppMessage)], sdkIdl.wsMessageIdl.retTypes, []),
  });

const identity = await makeIdentity(config.identity);
const agent = HttpAgent.createSync({ host: config.network_url, identity }); // asks for nothing: it only types the actor
const canisterActor = Actor.createActor(service, { agent, canisterId: config.canister_id });

const count = { sent: 0, received: 0, acks: 0, keepAlives: 0 };
let finishing = false;
let done = false;

// The SDK tells a dapp nothing of service messages, so they are read off the frames.
const serviceMessage = (direction, bytes) => {
  const frame = Cbor.decode(bytes);
  if (direction === "in") {
    if (!frame.content) return null;
    const message = Cbor.decode(frame.content);
    return message.is_service_message ? sdkIdl.decodeWebsocketServiceMessageContent(message.content) : null;
  }
  const { method_name: method, arg } = frame.envelope.content;
  if (method !== "ws_message") return null;
  const [{ msg }] = IDL.decode([messageArg, IDL.Opt(IDL.Null)], arg);
  return msg.is_service_message ? sdkIdl.decodeWebsocketServiceMessageContent(Uint8Array.from(msg.content)) : null;
};

socketClass.onFrame = (direction, bytes) => {
  const message = serviceMessage(direction, bytes);
  if (message === null) return;
  if ("AckMessage" in message) count.acks += 1;
  if ("KeepAliveMessage" in message) count.keepAlives += 1;
  report("service", { d: direction, message: Object.keys(message)[0], content: Object.values(message)[0] });
  setImmediate(proceed);
};

const ws = new IcWebSocket(
  config.gateway_url,
  undefined,
  createWsConfig({
    canisterId: config.canister_id,
    canisterActor,
    identity,
    networkUrl: config.network_url,
    ackMessageIntervalMs: config.ack_interval_ms,
  }),
);
report("start", { principal: identity.getPrincipal().toText() });

const send = () => {
  count.sent += 1;
  ws.send({ text: "pong", timestamp: BigInt(Date.now()) * 1_000_000n });
};

const proceed = () => {
  // The canister speaks first, so a message it sent for each of ours is one more than ours.
  const answered = count.received > count.sent;
  if (answered && count.sent < rounds) return send();
  if (answered && !finishing && count.keepAlives >= acks) {
    finishing = true;
    send();
  } else if (answered && count.sent > rounds && !done) {
    done = true;
    ws.close();
  }
};

ws.onopen = () => report("open");
ws.onmessage = ({ data }) => {
  count.received += 1;
  report("message", { text: data.text, timestamp: data.timestamp });
  proceed();
};
ws.onerror = ({ error }) => report("error", { text: String(error?.message ?? error) });
ws.onclose = ({ code, reason }) => {
  report("close", { code, reason: String(reason), count });
  process.exit(done ? 0 : 1);
};

setTimeout(() => {
  report("error", { text: `the script did not end in ${timeoutMs} ms`, count });
  process.exit(1);
}, timeoutMs);
