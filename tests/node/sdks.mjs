// The generations of ic-websocket-js that npm has, each with the agent of its time, behind one way to connect.
//
// "0.5.0" is the current one. "0.1.2" knows no handshake, no CloseMessage and no delegation. "0.3.4" is not at npm,
// but it is 0.3.3 with @dfinity/agent 1, so that is what is here. "0.5.0 with agent 3" is what npm makes of the
// current one when it is told not to mind peer dependencies. Any other name is the folder of one more, with its modules.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const HERE = import.meta.url;
const folders = {
  "0.5.0": HERE,
  "0.1.2": new URL("sdks/0.1.2/", HERE),
  "0.3.4": new URL("sdks/0.3.4/", HERE),
  "0.5.0 with agent 3": new URL("sdks/0.5.0-agent-3/", HERE),
};

/** The modules of a generation: agent, candid, identity and sdk; `idl` and `encode` of the SDK's messages. */
export const load = (generation) => {
  const require = createRequire(folders[generation] ?? pathToFileURL(`${generation}/`));
  const name = generation === "0.5.0 with agent 3" ? "ic-websocket-js-agent-3" : "ic-websocket-js";
  const [agent, candid, identity] = ["agent", "candid", "identity"].map((part) => require(`@dfinity/${part}`));
  const sdk = require(name);
  const idl = require(`${name}/lib/cjs/idl.js`);
  const AppMessage = candid.IDL.Record({ text: candid.IDL.Text });
  const isOld = generation === "0.1.2";

  /** A dapp's IcWebSocket; its messages are {text}. */
  const connect = ({ gateway_url: gatewayUrl, network_url: networkUrl, canister_id: canisterId, ack_interval_ms: ackMs }, who) => {
    if (isOld) return new sdk.default(gatewayUrl, undefined, { canisterId, identity: who, networkUrl });
    const service = () =>
      candid.IDL.Service({
        ws_open: idl.wsOpenIdl,
        ws_message: candid.IDL.Func([idl.wsMessageIdl.argTypes[0], candid.IDL.Opt(AppMessage)], idl.wsMessageIdl.retTypes, []),
      });
    const http = new agent.HttpAgent({ host: networkUrl, identity: who }); // asks for nothing: it only types the actor
    const canisterActor = agent.Actor.createActor(service, { agent: http, canisterId });
    const config = { canisterId, canisterActor, identity: who, networkUrl, ackMessageIntervalMs: ackMs };
    const IcWebSocket = sdk.IcWebSocket ?? sdk.default;
    return new IcWebSocket(gatewayUrl, undefined, config);
  };
  /** What send() takes: 0.1.2 leaves Candid to the dapp. */
  const message = (text) => (isOld ? new Uint8Array(candid.IDL.encode([AppMessage], [{ text }])) : { text });
  /** "open", "message" or "keep_alive": what a request of the SDK is. */
  const kindOf = ({ method_name: method, arg }) => {
    if (method !== "ws_message") return "open";
    const [{ msg }] = candid.IDL.decode(idl.wsMessageIdl.argTypes, arg);
    return msg.is_service_message ? "keep_alive" : "message";
  };
  return { agent, candid, identity, connect, message, kindOf };
};
