// A dapp's page: ic-websocket-js itself, bundled for a browser; tests/test_browser_har.py drives it.

import { Actor, HttpAgent } from "@dfinity/agent";
import { IDL } from "@dfinity/candid";
import { IcWebSocket, createWsConfig } from "ic-websocket-js";
import * as sdkIdl from "ic-websocket-js/lib/cjs/idl.js";

import { makeIdentity } from "./identities.mjs";

const AppMessage = IDL.Record({ text: IDL.Text, timestamp: IDL.Nat64 });

// Answers the canister's pings `rounds` times, then closes; resolves with how the session ended.
globalThis.play = async ({ gateway_url, network_url, canister_id, ack_interval_ms, identity: kind, rounds }) => {
  const identity = await makeIdentity(kind);
  const [messageArg] = sdkIdl.wsMessageIdl.argTypes;
  const service = () =>
    IDL.Service({
      ws_open: sdkIdl.wsOpenIdl,
      ws_message: IDL.Func([messageArg, IDL.Opt(AppMessage)], sdkIdl.wsMessageIdl.retTypes, []),
    });
  const agent = HttpAgent.createSync({ host: network_url, identity });
  const ws = new IcWebSocket(
    gateway_url,
    undefined,
    createWsConfig({
      canisterId: canister_id,
      canisterActor: Actor.createActor(service, { agent, canisterId: canister_id }),
      identity,
      networkUrl: network_url,
      ackMessageIntervalMs: ack_interval_ms,
    }),
  );
  const errors = [];
  let received = 0;
  ws.onerror = ({ error }) => errors.push(String(error?.message ?? error));
  ws.onmessage = () => {
    received += 1;
    if (received > rounds) return ws.close();
    return ws.send({ text: "pong", timestamp: BigInt(Date.now()) * 1_000_000n });
  };
  return new Promise((resolve) => {
    ws.onclose = ({ code, reason }) =>
      resolve({ code, reason, received, errors, principal: identity.getPrincipal().toText() });
  });
};
