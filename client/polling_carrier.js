// HTTP long polling that carries a session: one GET waits for packets, one POST at a time takes them.
// Its owner is told: received(type, data), lost(how); and asked: count(), the messages it has got.
//
// Each request says where it stands, so that one which a proxy held back does no harm when it comes.

import { SEPARATOR, closePacket, fromPacket, toPacket } from "./packets.js";

const POST_TIMEOUT = 60_000; // milliseconds
const MOST = 1000; // packets a POST takes

export class PollingCarrier {
  transport = "polling";
  extensions = "";
  #address;
  #owner;
  #abort = new AbortController();
  #session; // what its requests say of it
  #maxPayload;
  #queue = []; // [packet or message, its number if it is a message]
  #paused = false;
  #polling;
  #posting;

  constructor(address, owner) {
    this.#address = address;
    this.#owner = owner;
    this.#open();
  }

  async #open() {
    try {
      const packets = await this.#request(this.#address);
      if (packets[0]?.slice(0, 2) !== "0{") throw { reason: "Not Engine.IO" };
      this.#deliver(packets);
    } catch (error) {
      this.#lost(error);
    }
  }

  start(address, { maxPayload }) {
    this.#session = address;
    this.#maxPayload = maxPayload;
    this.#polling = this.#poll();
  }

  get bufferedAmount() {
    return this.#queue.reduce((sum, [, number, size]) => sum + (number ? size : 0), 0);
  }

  send(data, number, size) {
    this.#queue.push([data, number, size]);
    this.#posting ??= this.#post();
  }

  sendPacket(packet) {
    this.send(packet);
  }

  async close(code, reason) {
    this.#paused = true;
    this.sendPacket(closePacket(code, reason));
    await this.#posting;
    this.#lost({ code: code ?? 1005, reason, wasClean: true });
  }

  // Until the GET that waits has been answered, and everything has been taken.
  async pause() {
    this.#paused = true;
    await Promise.all([this.#polling, this.#posting]);
  }

  abandon() {
    this.#abort.abort();
  }

  async #poll() {
    // What came with the open packet is delivered first.
    await null;
    try {
      while (!this.#paused && !this.#abort.signal.aborted) {
        this.#deliver(await this.#request(`${this.#session}&after=${this.#owner.count()}`));
      }
    } catch (error) {
      this.#lost(error);
    }
  }

  async #post() {
    try {
      while (this.#queue.length) {
        const [body, sent, taken] = await this.#payload();
        const address = this.#session + (sent === undefined ? "" : `&sent=${sent}`);
        const timer = setTimeout(() => this.#lost({}), POST_TIMEOUT);
        await this.#request(address, body).finally(() => clearTimeout(timer));
        this.#queue.splice(0, taken);
      }
    } catch (error) {
      this.#lost(error);
    }
    this.#posting = undefined;
  }

  // → as many packets as the server takes at once, the messages sent before them, their number.
  async #payload() {
    const packets = [];
    let sent, length = 0;
    for (const [data, number] of this.#queue) {
      const packet = number ? await toPacket(data) : data;
      length += packet.length * 3 + 1; // in UTF-8 at most
      if (packets.length === MOST || (packets.length && length > this.#maxPayload)) break;
      packets.push(packet);
      if (number) sent ??= number - 1;
    }
    return [packets.join(SEPARATOR), sent, packets.length];
  }

  #deliver(packets) {
    for (const packet of packets) {
      if (packet && !this.#abort.signal.aborted) this.#owner.received(...fromPacket(packet));
    }
  }

  async #request(address, body) {
    const response = await fetch(address, {
      method: body === undefined ? "GET" : "POST",
      body,
      cache: "no-store",
      credentials: "include",
      redirect: "manual",
      signal: this.#abort.signal,
    });
    const text = await response.text();
    if (!response.ok) throw refusal(response, text);
    return text.split(SEPARATOR);
  }

  #lost(error) {
    if (this.#abort.signal.aborted) return;
    this.#abort.abort();
    const { code = 1006, reason = "", wasClean = false, ...more } = error;
    this.#owner.lost({ code, reason, wasClean, ...more });
  }
}

// Under DEBUG the server says why. To be sent elsewhere, as to a login, is a refusal, too.
function refusal({ headers, status, type }, text) {
  if (type === "opaqueredirect") return { status: 302, reason: "Redirected" };
  const explained = headers.get("X-DWebSocket-Debug");
  if (explained) console.error(`HTTP ${status}: ${text}`);
  return {
    code: status === 413 ? 1009 : 1006,
    status,
    reason: explained ? text : `HTTP ${status}`,
    retryAfter: headers.get("Retry-After"),
    unknown: status === 400 && text.includes("Transport unknown"),
  };
}
