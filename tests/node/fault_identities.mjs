// Identities as dapps hand them to the SDK, well made or not.

const HOUR_MS = 3_600_000;
const bytes = (hex) => hex && Uint8Array.from(Buffer.from(hex, "hex"));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * An identity with a key of its own, or that of `seed` (hex), of an SDK's generation (sdks.mjs).
 *
 * `delegation_ms` signs over to a session key that is good until so long from now (negative: until before now).
 * `login` is the DER public key (hex) of a canister that signs for its users, as Internet Identity does, in a
 * chain that nobody checks here. `slow` says how long (ms) it takes to sign which kind of request, as a hardware key
 * that waits for its owner does. `other_key` signs with a key that is not the one it shows. `anonymous` is nobody.
 */
export const makeIdentity = async (sdk, given) => {
  if (given.anonymous) return new sdk.agent.AnonymousIdentity();
  const { seed, delegation_ms: delegationMs, login, slow, other_key: otherKey } = given;
  const { DelegationChain, DelegationIdentity, Ed25519KeyIdentity } = sdk.identity;
  let identity = Ed25519KeyIdentity.generate(bytes(seed));
  if (delegationMs !== undefined || login) {
    const session = Ed25519KeyIdentity.generate();
    const until = new Date(Date.now() + (delegationMs ?? HOUR_MS));
    let chain = await DelegationChain.create(identity, session.getPublicKey(), until);
    if (login) chain = DelegationChain.fromDelegations(chain.delegations, bytes(login).buffer);
    identity = DelegationIdentity.fromDelegation(session, chain);
  }
  if (otherKey) {
    const other = Ed25519KeyIdentity.generate();
    identity.sign = (blob) => other.sign(blob);
  }
  if (slow) {
    const transform = identity.transformRequest.bind(identity);
    identity.transformRequest = async (request) => {
      await pause(slow[sdk.kindOf(request.body)] ?? 0);
      return transform(request);
    };
  }
  return identity;
};
