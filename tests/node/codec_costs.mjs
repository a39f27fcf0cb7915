// What decoding a canister message and signing a request cost the real SDK's libraries.
//
//   node codec_costs.mjs '{"frame": hex of a canister message, "canister_id": text, "rounds": 200}'
//
// decode: frame to the application's value, as ic-websocket-js does it (two times CBOR, then Candid).
// sign: a value to a frame, as its agent does it (Candid, request id, Ed25519, CBOR), with a fresh key.
// One line each: {"event": "cost", "name", "ms"}; ms is the mean of the processor time after as many rounds to warm up.

import { createRequire } from "node:module";

import { Cbor, Expiry, SubmitRequestType } from "@dfinity/agent";
import { IDL } from "@dfinity/candid";
import { Principal } from "@dfinity/principal";

import { makeIdentity } from "./identities.mjs";

const require = createRequire(import.meta.url);
const sdkIdl = require("ic-websocket-js/lib/cjs/idl.js");

const { frame, canister_id: canisterText, rounds } = JSON.parse(process.argv[2]);
const AppMessage = IDL.Record({ text: IDL.Text, timestamp: IDL.Nat64 });
const [messageArg] = sdkIdl.wsMessageIdl.argTypes;
const canisterId = Principal.fromText(canisterText);
const identity = await makeIdentity("ed25519");
const data = Uint8Array.from(Buffer.from(frame, "hex"));
const key = { client_principal: identity.getPrincipal(), client_nonce: 7n };

const decode = async () => {
  const { content } = Cbor.decode(Cbor.decode(data).content);
  return IDL.decode([AppMessage], Uint8Array.from(content))[0].text;
};

const sign = async () => {
  const content = new Uint8Array(IDL.encode([AppMessage], [{ text: "pong", timestamp: 7n }]));
  const msg = { client_key: key, sequence_num: 7n, timestamp: 7n, is_service_message: false, content };
  const request = await identity.transformRequest({
    request: { method: "POST", headers: {} },
    endpoint: "call",
    body: {
      request_type: SubmitRequestType.Call,
      canister_id: canisterId,
      method_name: "ws_message",
      arg: IDL.encode([messageArg, IDL.Opt(IDL.Null)], [{ msg }, []]),
      sender: identity.getPrincipal(),
      ingress_expiry: new Expiry(240_000),
    },
  });
  return Cbor.encode({ envelope: request.body });
};

for (const [name, work] of Object.entries({ decode, sign })) {
  for (let round = 0; round < rounds; round += 1) await work(); // compiled by then
  const used = process.cpuUsage();
  for (let round = 0; round < rounds; round += 1) await work();
  const { user, system } = process.cpuUsage(used);
  process.stdout.write(`${JSON.stringify({ event: "cost", name, ms: (user + system) / 1000 / rounds })}\n`);
}
