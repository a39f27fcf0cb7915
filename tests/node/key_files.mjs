// What @dfinity/identity writes to a browser's storage, and what it makes of a chain that we wrote.

import { DelegationChain, DelegationIdentity, Ed25519KeyIdentity } from "@dfinity/identity";
import { Secp256k1KeyIdentity } from "@dfinity/identity-secp256k1";
import { Principal } from "@dfinity/principal";

const { root_seed: rootSeed, session_seed: sessionSeed, target, expires_ms: expiresMs, chain } = JSON.parse(process.argv[2]);
const seed = (text) => new Uint8Array(Buffer.from(text, "hex"));

const root = Secp256k1KeyIdentity.generate(seed(rootSeed));
const session = Ed25519KeyIdentity.generate(seed(sessionSeed));
const theirs = await DelegationChain.create(root, session.getPublicKey(), new Date(expiresMs), {
  targets: [Principal.fromText(target)],
});
const ours = DelegationChain.fromJSON(chain);
console.log(
  JSON.stringify({
    event: "files",
    root: root.toJSON(),
    session: session.toJSON(),
    chain: theirs.toJSON(),
    principal: DelegationIdentity.fromDelegation(session, theirs).getPrincipal().toText(),
    ours: ours.toJSON(),
    principal_of_ours: DelegationIdentity.fromDelegation(session, ours).getPrincipal().toText(),
  }),
);
