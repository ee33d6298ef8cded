// What a page uses: the interface of WebSocket, and what it has beyond that.

import { OPTIONS } from "./retrying.js";
import { Session } from "./session.js";
import { sizeOf } from "./outbox.js";
import { watchPage } from "./page.js";

const STATES = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 };
const { CONNECTING, OPEN, CLOSING, CLOSED } = STATES;
const TOKEN = /^[!#$%&'*+\-.^_`|~\w]+$/; // RFC 9110, 5.6.2
const MAX_REASON = 123; // bytes; RFC 6455, 5.5

export default class DWebSocket extends EventTarget {
  #url;
  #session;
  #state = CONNECTING;
  #maxBuffer;
  #binaryType = "blob";
  #handlers = {};
  #unwatch;

  constructor(url, protocols = [], options = {}) {
    super();
    this.#url = addressOf(url);
    const names = typeof protocols === "string" ? [protocols] : [...protocols];
    const distinct = new Set(names.map((name) => name.toLowerCase()));
    if (distinct.size < names.length || !names.every((name) => TOKEN.test(name))) {
      fail(`Wrong subprotocols: ${names}`, "SyntaxError");
    }
    const settings = { ...OPTIONS, ...options };
    this.#maxBuffer = settings.maxBuffer;
    this.#session = new Session(this.#url, names, settings, {
      connecting: (details) => this.#change(CONNECTING, "connecting", details),
      opened: (details) => this.#change(OPEN, "open", details),
      message: (data) => this.#message(data),
      lost: () => this.#dispatch(new Event("lost")),
      ended: (how) => this.#ended(how),
    });
    this.#unwatch = watchPage(this.#session);
  }

  get url() {
    return this.#url.href;
  }

  get readyState() {
    return this.#state;
  }

  get bufferedAmount() {
    return this.#session.outbox.waiting + (this.#session.carrier?.bufferedAmount ?? 0);
  }

  get protocol() {
    return this.#session.protocol;
  }

  get extensions() {
    return this.#session.carrier?.extensions ?? "";
  }

  get transport() {
    return this.#session.isOpen ? this.#session.carrier.transport : "";
  }

  get binaryType() {
    return this.#binaryType;
  }

  set binaryType(type) {
    if (type === "blob" || type === "arraybuffer") this.#binaryType = type;
  }

  send(data) {
    if (this.#state > OPEN) fail("It is closed", "InvalidStateError");
    const message = copy(data);
    const away = this.#state === CONNECTING;
    if (away && this.#session.outbox.waiting + sizeOf(message) > this.#maxBuffer) {
      fail(`More than ${this.#maxBuffer} bytes wait`, "QuotaExceededError");
    }
    this.#session.outbox.add(message);
    this.#session.flush();
  }

  close(code, reason = "") {
    if (code !== undefined && code !== 1000 && !(code >= 3000 && code < 5000)) {
      fail(`${code} is neither 1000 nor 3000 to 4999`, "InvalidAccessError");
    }
    if (sizeOf(String(reason)) > MAX_REASON) {
      fail(`More than ${MAX_REASON} bytes`, "SyntaxError");
    }
    if (this.#state > OPEN) return;
    this.#state = CLOSING;
    this.#session.close(code, String(reason));
  }

  reconnect(delay = 0) {
    if (this.#state > OPEN) return;
    this.#session.reconnect(delay);
  }

  #change(state, type, details) {
    this.#state = state;
    this.#dispatch(new Event(type), details);
  }

  #message(data) {
    if (typeof data !== "string" && this.#binaryType === "blob") data = new Blob([data]);
    this.dispatchEvent(new MessageEvent("message", { data, origin: this.#url.origin }));
  }

  #ended({ code, reason, wasClean, status }) {
    this.#state = CLOSED;
    this.#unwatch?.();
    if (!wasClean) this.dispatchEvent(new Event("error"));
    this.#dispatch(new CloseEvent("close", { code, reason, wasClean }), { status });
  }

  #dispatch(event, details) {
    this.dispatchEvent(Object.assign(event, details));
  }

  // onopen and its like.
  static {
    for (const [name, value] of Object.entries(STATES)) {
      for (const owner of [this, this.prototype]) Object.defineProperty(owner, name, { value });
    }
    for (const type of ["connecting", "open", "message", "lost", "error", "close"]) {
      Object.defineProperty(this.prototype, `on${type}`, {
        get() {
          return this.#handlers[type] ?? null;
        },
        set(handler) {
          if (!(type in this.#handlers)) {
            this.addEventListener(type, (event) => this.#handlers[type]?.call(this, event));
          }
          this.#handlers[type] = typeof handler === "function" ? handler : null;
        },
      });
    }
  }
}

function fail(text, name) {
  throw new DOMException(text, name);
}

function addressOf(given) {
  let url;
  try {
    url = new URL(given, globalThis.document?.baseURI ?? globalThis.location?.href);
    url.protocol = url.protocol.replace("http", "ws");
  } catch {}
  // Nobody could see to what a fragment points.
  if (!/^wss?:$/.test(url?.protocol) || url.hash) fail(`Not for a WebSocket: ${given}`, "SyntaxError");
  return url;
}

// What the page changes afterwards is not sent.
function copy(data) {
  if (data instanceof ArrayBuffer) return data.slice();
  if (ArrayBuffer.isView(data)) {
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice().buffer;
  }
  return data instanceof Blob ? data : String(data);
}
