// What surrounds an SDK under test, beside the globals of a browser: a socket that is watched, a clock that can be wrong.

import { createInterface } from "node:readline";

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
 * Let the process's clock stand at `now_ms` (since the epoch) and go by what is said on stdin: lines, each a time (ms).
 * When everything that was due by then has been done, the answer is a line "tock". Timers go by it. The process's own
 * clock is `skew_ms` ahead.
 */
export const installClock = ({ now_ms: startMs, skew_ms: skewMs }) => {
  const RealDate = Date;
  const clearRealTimeout = clearTimeout;
  const timers = new Set(); // in the order of being set
  let now = startMs;

  class Timer {
    constructor(ms, repeats, run) {
      Object.assign(this, { ms: Math.max(ms, 1), repeats, run });
      this.refresh();
    }
    refresh() {
      this.at = now + this.ms;
      timers.add(this);
      return this;
    }
    ref() {
      return this;
    }
    unref() {
      return this;
    }
  }
  const set = (repeats) => (callback, ms = 0, ...rest) => new Timer(ms, repeats, () => callback(...rest));
  const clear = (timer) => (timer instanceof Timer ? timers.delete(timer) : clearRealTimeout(timer));
  globalThis.Date = class extends RealDate {
    constructor(...given) {
      super(...(given.length === 0 ? [Date.now()] : given));
    }
    static now() {
      return Math.floor(now + skewMs);
    }
  };
  Object.assign(globalThis, { setTimeout: set(false), setInterval: set(true), clearTimeout: clear, clearInterval: clear });

  const goOn = (to) => {
    const due = [...timers].filter(({ at }) => at <= to);
    if (due.length === 0) {
      now = to;
      return setImmediate(() => process.stdout.write("tock\n"));
    }
    const next = due.reduce((one, other) => (other.at < one.at ? other : one));
    now = Math.max(now, next.at);
    if (next.repeats) next.refresh();
    else timers.delete(next);
    next.run();
    return setImmediate(goOn, to); // what it has settled is done before the next one
  };
  createInterface({ input: process.stdin }).on("line", (line) => goOn(Number(line)));
};
