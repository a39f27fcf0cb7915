// Node 18 (Debian 12) has Web Crypto, but not as the global that the SDK and the agents look for.
import { webcrypto } from "node:crypto";

globalThis.crypto ??= webcrypto;
