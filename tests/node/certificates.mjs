// What the real readers say of certificates and certified messages.
//
//   node certificates.mjs '{"entries": [{"id", "reader": "agent" | "core" | "sdk", "cert", "canister_id", "root_key",
//                            "now_ms", "key"?, "content"?, "tree"?}, …]}'          (bytes in hex)
//
// agent: @dfinity/agent 2.4.1, core: @icp-sdk/core, sdk: isMessageBodyValid of ic-websocket-js.
// One line a verdict: {"event": "verdict", "id", "ok", "error", "ms", "cpu_ms"}; ms is what it took, cpu_ms what it took
// of the processor.

import { createRequire } from "node:module";

import { Certificate as AgentCertificate } from "@dfinity/agent";
import { Principal as AgentPrincipal } from "@dfinity/principal";
import { Certificate as CoreCertificate } from "@icp-sdk/core/agent";
import { Principal as CorePrincipal } from "@icp-sdk/core/principal";

const { isMessageBodyValid } = createRequire(import.meta.url)("ic-websocket-js/lib/cjs/utils.js");

const bytes = (hex) => Uint8Array.from(Buffer.from(hex, "hex"));
const buffer = (hex) => bytes(hex).buffer;

const readers = {
  agent: async ({ cert, canister_id: id, root_key: rootKey }) => {
    await AgentCertificate.create({ certificate: buffer(cert), rootKey: buffer(rootKey), canisterId: AgentPrincipal.fromText(id) });
    return true;
  },
  core: async ({ cert, canister_id: id, root_key: rootKey }) => {
    const principal = { canisterId: CorePrincipal.fromText(id) };
    await CoreCertificate.create({ certificate: bytes(cert), rootKey: bytes(rootKey), principal });
    return true;
  },
  sdk: ({ cert, canister_id: id, root_key: rootKey, key, content, tree }) =>
    isMessageBodyValid(AgentPrincipal.fromText(id), key, bytes(content), buffer(cert), buffer(tree), { rootKey: buffer(rootKey) }, 5),
};

const { Date: RealDate } = globalThis;
let nowMs = 0;
globalThis.Date = class extends RealDate {
  constructor(...given) {
    super(...(given.length === 0 ? [nowMs] : given));
  }
  static now() {
    return nowMs;
  }
};
console.error = () => {}; // the SDK's own complaints; the verdict says enough

for (const entry of JSON.parse(process.argv[2]).entries) {
  nowMs = entry.now_ms;
  const begin = performance.now();
  const used = process.cpuUsage();
  const [ok, error] = await readers[entry.reader](entry).then(
    (verdict) => [verdict, null],
    (reason) => [false, String(reason)],
  );
  const { user, system } = process.cpuUsage(used);
  const ms = performance.now() - begin;
  process.stdout.write(`${JSON.stringify({ event: "verdict", id: entry.id, ok, error, ms, cpu_ms: (user + system) / 1000 })}\n`);
}
