// What the SDK's CBOR library takes from Node; dapps give it to their bundlers in the same way.

export { Buffer } from "buffer";
export const process = { env: {}, browser: true, nextTick: (work, ...rest) => queueMicrotask(() => work(...rest)) };
