// ic-websocket-js itself in many sessions at once, each at a gateway, canister or network of its own that errs.
//
//   node fault_sessions.mjs '{"sdk": "0.5.0", "clock": null | {"now_ms", "skew_ms"}, "until_ms": …,
//                            "sessions": [{"name", "gateway_url", "network_url", "canister_id", "ack_interval_ms",
//                            "start_ms", "follows", "identity", "leaves_ms", "steps": [{"at_ms", "send" | "pad" | "ping" | "close"}]}]}'
//
// A session starts start_ms after the process, or "follows" another one ({name, silent_ms}): it starts when that one
// has heard something, and then nothing for so long. Its steps count from the SDK's onopen; after leaves_ms its page is gone,
// without a word. All times are those of the process's clock. "gives_bytes" and "slow_status" are oddities of what is
// around it (environment.mjs). Events are lines of JSON on stdout, each with the session's name: "start" {nonce} or
// "thrown" {text} (no IcWebSocket), "open", "message", "error" {text}, "closing" {code, reason} (the SDK's own
// decision) and "close" {code, reason} (its onclose). Ends with the last session, or after until_ms.

import { ObservedWebSocket, installClock, installSlowStatus, withSocket } from "./environment.mjs";
import { makeIdentity } from "./fault_identities.mjs";
import { install, report } from "./recording.mjs";
import { load } from "./sdks.mjs";

const SLOW_STATUS_MS = 30_000;
const LOOKS = 10;
const heard = new Map(); // by session, when it last heard something

const config = JSON.parse(process.argv[2]);
if (config.clock) installClock(config.clock);
install(ObservedWebSocket);
const slow = config.sessions.filter((session) => session.slow_status).map((session) => new URL(session.network_url).origin);
installSlowStatus(new Set(slow), SLOW_STATUS_MS);
console.log = console.debug = console.warn = console.error = () => {}; // the SDK's own; onerror says enough
const sdk = load(config.sdk);

const take = (ws, socket, step) => {
  if (ws.readyState !== WebSocket.OPEN) return;
  if ("send" in step) ws.send(sdk.message(step.send));
  else if ("pad" in step) ws.send(sdk.message("x".repeat(step.pad)));
  else if ("ping" in step) socket.ping();
  else if ("close" in step) ws.close();
};

const play = async (session) => {
  const tell = (event, fields) => report(event, { name: session.name, ...fields });
  const identity = await makeIdentity(sdk, session.identity);
  const closing = (code, reason) => tell("closing", { code, reason });
  const make = () => sdk.connect(session, identity);
  let ws, socket;
  try {
    ({ made: ws, socket } = withSocket(closing, session.gives_bytes ?? false, make));
  } catch (error) {
    return tell("thrown", { text: error.message });
  }
  socket.on("message", () => heard.set(session.name, performance.now()));
  tell("start", { nonce: ws._clientKey?.client_nonce ?? null });
  ws.onopen = () => {
    tell("open");
    for (const step of session.steps) setTimeout(() => take(ws, socket, step), step.at_ms);
  };
  ws.onmessage = () => tell("message");
  ws.onerror = ({ error }) => tell("error", { text: String(error?.message ?? error) });
  return new Promise((resolve) => {
    ws.onclose = ({ code, reason }) => {
      tell("close", { code, reason: String(reason) });
      resolve();
    };
    const leave = () => {
      ws.onclose = resolve;
      socket.terminate();
    };
    if (session.leaves_ms !== null) setTimeout(leave, session.leaves_ms);
  });
};

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Until that session has fallen silent. Looks many times: a process that was held up hears late what came in time. */
const silence = async ({ name, silent_ms: silentMs }) => {
  let [last, looks] = [undefined, 0];
  while (last === undefined || looks < LOOKS) {
    await pause(silentMs / LOOKS);
    looks = heard.get(name) === last ? looks + 1 : 0;
    last = heard.get(name);
  }
};

const startLater = async (session) => {
  await (session.follows ? silence(session.follows) : pause(session.start_ms));
  return play(session);
};

setTimeout(() => process.exit(0), config.until_ms);
await Promise.all(config.sessions.map(startLater));
process.exit(0);
