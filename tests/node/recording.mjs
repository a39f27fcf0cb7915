// What a browser has and Node lacks, with a WebSocket that reports every frame as it passes.

import WebSocket from "ws";

/** Print one event as a line of JSON; `t` is in seconds since the epoch. */
export const report = (event, fields = {}) => {
  const line = { event, t: Date.now() / 1000, ...fields };
  process.stdout.write(`${JSON.stringify(line, (_, value) => (typeof value === "bigint" ? value.toString() : value))}\n`);
};

class RecordingWebSocket extends WebSocket {
  /** Called as (direction, bytes) for each data frame, before the SDK sees it or the socket sends it. */
  static onFrame = () => {};

  constructor(url, protocols) {
    super(url, protocols);
    this.on("message", (data, isBinary) => this.#record("in", isBinary ? "binary" : "text", data));
    this.on("ping", (data) => this.#record("in", "ping", data));
    this.on("pong", (data) => this.#record("in", "pong", data));
  }

  send(data, ...rest) {
    this.#record("out", typeof data === "string" ? "text" : "binary", data);
    return super.send(data, ...rest);
  }

  close(code, reason) {
    // ws calls this too, in answer to the peer's close; only the SDK's own decision is news.
    if (this.readyState < WebSocket.CLOSING) report("closing", { code: code ?? 1000, reason: reason ?? "" });
    return super.close(code, reason);
  }

  #record(direction, op, data) {
    const bytes = Buffer.from(data);
    report("frame", { d: direction, op, b: bytes.toString("base64") });
    if (op === "binary") RecordingWebSocket.onFrame(direction, bytes);
  }
}

class ErrorEvent extends Event {
  constructor(type, { error, message } = {}) {
    super(type);
    this.error = error;
    this.message = message ?? String(error);
  }
}

class CloseEvent extends Event {
  constructor(type, { code = 1000, reason = "", wasClean = true } = {}) {
    super(type);
    Object.assign(this, { code, reason, wasClean });
  }
}

/** Put the globals in place that ic-websocket-js takes from a browser. Without ErrorEvent it swallows errors. */
export const install = (socketClass = RecordingWebSocket) => {
  globalThis.WebSocket = socketClass;
  globalThis.ErrorEvent ??= ErrorEvent;
  globalThis.CloseEvent ??= CloseEvent;
  return socketClass;
};
