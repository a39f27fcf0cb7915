// An agent of ic-websocket-js's time, or of today, against a replica.
//
//   node agent_calls.mjs '{"network_url": …, "canister_id": …, "agent": "dfinity-2.4.1" | "icp-sdk-6.1.0",
//                          "gateway_principal": …, "absent_canister_id": …}'
//
// Each step is one line of JSON on stdout: {"step", "ok", …}. The agents verify certificates and, in
// queries, node signatures by themselves; what they refuse is a step with ok false and the error's text.
// Exit code 0: every step was taken, whatever came of it.

const config = JSON.parse(process.argv[2]);

const versions = {
  "dfinity-2.4.1": async () => ({
    ...(await import("@dfinity/agent")),
    ...(await import("@dfinity/candid")),
    ...(await import("@dfinity/identity")),
    ...(await import("@dfinity/principal")),
  }),
  "icp-sdk-6.1.0": async () => ({
    ...(await import("@icp-sdk/core/agent")),
    ...(await import("@icp-sdk/core/candid")),
    ...(await import("@icp-sdk/core/identity")),
    ...(await import("@icp-sdk/core/principal")),
  }),
};
const { Actor, CanisterStatus, Ed25519KeyIdentity, HttpAgent, IDL, Principal, polling } =
  await versions[config.agent]();

const plain = (_, value) => {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Uint8Array || value instanceof ArrayBuffer) return Buffer.from(value).toString("hex");
  if (value instanceof Map) return Object.fromEntries(value);
  return value;
};

/** Take one step and print what came of it. */
const step = async (name, action) => {
  let line;
  try {
    line = { step: name, ok: true, value: await action() };
  } catch (error) {
    line = { step: name, ok: false, error: String(error?.message ?? error) };
  }
  process.stdout.write(`${JSON.stringify(line, plain)}\n`);
};

// The URLs asked for, in order, without the part before the path.
const requests = [];
const fetchRecorded = (resource, init) => {
  requests.push(`${init?.method ?? "GET"} ${new URL(resource).pathname}`);
  return fetch(resource, init);
};

const ClientKey = IDL.Record({ client_principal: IDL.Principal, client_nonce: IDL.Nat64 });
const Result = IDL.Variant({ Ok: IDL.Null, Err: IDL.Text });
const PollResult = IDL.Variant({
  Ok: IDL.Record({
    messages: IDL.Vec(IDL.Record({ client_key: ClientKey, key: IDL.Text, content: IDL.Vec(IDL.Nat8) })),
    cert: IDL.Vec(IDL.Nat8),
    tree: IDL.Vec(IDL.Nat8),
    is_end_of_queue: IDL.Bool,
  }),
  Err: IDL.Text,
});
const OpenArgs = IDL.Record({ client_nonce: IDL.Nat64, gateway_principal: IDL.Principal });
const service = () =>
  IDL.Service({
    ws_open: IDL.Func([OpenArgs], [Result], []),
    ws_get_messages: IDL.Func([IDL.Record({ nonce: IDL.Nat64 })], [PollResult], ["query"]),
    no_such_method: IDL.Func([], [], []),
  });

const identity = Ed25519KeyIdentity.generate();
const agent = await HttpAgent.create({ host: config.network_url, identity, fetch: fetchRecorded, retryTimes: 0 });
const canisterId = Principal.fromText(config.canister_id);
const actor = Actor.createActor(service, { agent, canisterId });
const openArgs = (nonce) => ({ client_nonce: nonce, gateway_principal: Principal.fromText(config.gateway_principal) });

await step("status", () => agent.fetchRootKey());
// A call over the synchronous endpoint: the agent verifies the certificate in the answer.
await step("call", () => actor.ws_open(openArgs(1n)));
// A call that is answered 202 and then read from the state tree until it is done.
await step("call_and_poll", async () => {
  const { requestId, response } = await agent.call(canisterId, {
    methodName: "ws_open",
    arg: IDL.encode([OpenArgs], [openArgs(2n)]),
    effectiveCanisterId: canisterId,
    callSync: false,
  });
  const { reply } = await polling.pollForResponse(agent, canisterId, requestId);
  return { http_status: response.status, reply: IDL.decode([Result], reply)[0] };
});
// A query: the agent asks for the subnet's node keys and verifies the signature on the answer.
await step("query", async () => {
  const answer = await actor.ws_get_messages({ nonce: 0n });
  return "Err" in answer ? answer : { messages: answer.Ok.messages.length, is_end_of_queue: answer.Ok.is_end_of_queue };
});
await step("rejected_call", () => actor.no_such_method());
await step("absent_canister", () =>
  Actor.createActor(service, { agent, canisterId: Principal.fromText(config.absent_canister_id) }).ws_get_messages({
    nonce: 0n,
  }),
);
// Reads of the state tree, each with a certificate that the agent verifies.
await step("canister_status", () => CanisterStatus.request({ agent, canisterId, paths: ["time", "subnet"] }));
process.stdout.write(`${JSON.stringify({ step: "requests", ok: true, value: requests })}\n`);
