// The kinds of identity that a dapp hands to the SDK, each with a fresh key.

import { DelegationChain, DelegationIdentity, Ed25519KeyIdentity } from "@dfinity/identity";
import { Secp256k1KeyIdentity } from "@dfinity/identity-secp256k1";

const HOUR_MS = 3_600_000;

const kinds = {
  ed25519: () => Ed25519KeyIdentity.generate(),
  secp256k1: () => Secp256k1KeyIdentity.generate(),
  // As Internet Identity does it: a root key signs over to a session key that the browser holds.
  delegation: async () => {
    const session = Ed25519KeyIdentity.generate();
    const root = Ed25519KeyIdentity.generate();
    const chain = await DelegationChain.create(root, session.getPublicKey(), new Date(Date.now() + HOUR_MS));
    return DelegationIdentity.fromDelegation(session, chain);
  },
};

/** A new identity of the kind: "ed25519", "secp256k1" or "delegation". */
export const makeIdentity = async (kind) => {
  if (!(kind in kinds)) throw new Error(`identity must be one of ${Object.keys(kinds).join(", ")}: ${kind}`);
  return kinds[kind]();
};
