// What surrounds an SDK under test, beside the globals of a browser: a socket that is watched, a clock that can be wrong.

import WebSocket from "ws";

let making = null;

/**
 * Make what holds a WebSocket; `onClosing(code, reason)` hears when its owner closes that. Gives both. With `givesBytes`
 * the socket gives Uint8Arrays and not ArrayBuffers, whatever it is asked for, as some polyfills do.
 */
export const withSocket = (onClosing, givesBytes, make) => {
  making = { onClosing, givesBytes, socket: null };
  try {
    return { made: make(), socket: making.socket };
  } finally {
    making = null;
  }
};

export class ObservedWebSocket extends WebSocket {
  #onClosing = making.onClosing;
  #givesBytes = making.givesBytes;

  constructor(url, protocols) {
    super(url, protocols);
    making.socket = this;
  }

  set onmessage(listener) {
    const hears = this.#givesBytes ? ({ data }) => listener({ data: new Uint8Array(data) }) : listener;
    this.addEventListener("message", hears);
  }

  close(code, reason) {
    // ws calls this too, in answer to the peer's close frame; only the SDK's own decision is news.
    const isOurs = this.readyState < WebSocket.CLOSING && !this._closeFrameReceived;
    if (isOurs) this.#onClosing(code ?? 1000, reason ?? "");
    return super.close(code, reason);
  }
}

/** Let each of those networks (their origins) take `ms` longer to tell its root key. */
export const installSlowStatus = (networks, ms) => {
  const { fetch } = globalThis;
  globalThis.fetch = async (resource, init) => {
    const { origin, pathname } = new URL(resource);
    if (networks.has(origin) && pathname === "/api/v2/status") await new Promise((resolve) => setTimeout(resolve, ms));
    return fetch(resource, init);
  };
};

/**
 * Let the process's clock show `nowMs` at the machine's `atMs` (both since the epoch) and run `scale` times as fast.
 * Timers follow it.
 */
export const installClock = ({ nowMs, atMs, scale }) => {
  const real = { Date, setTimeout, setInterval, now: () => performance.timeOrigin + performance.now() };
  const now = () => Math.floor(nowMs + (real.now() - atMs) * scale);
  globalThis.Date = class extends real.Date {
    constructor(...given) {
      super(...(given.length === 0 ? [now()] : given));
    }
    static now() {
      return now();
    }
  };
  globalThis.setTimeout = (callback, ms = 0, ...rest) => real.setTimeout(callback, ms / scale, ...rest);
  globalThis.setInterval = (callback, ms = 0, ...rest) => real.setInterval(callback, ms / scale, ...rest);
};
