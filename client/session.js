// A session with the server: what carries it, how it is found again, and that nothing is lost or
// doubled on the way. Its page is told: connecting(), opened(), message(), lost(), ended().

import { Network } from "./network.js";
import { Outbox } from "./outbox.js";
import { closePacket } from "./packets.js";
import { PollingCarrier } from "./polling_carrier.js";
import { comesBack, delayOf, isFinal } from "./retrying.js";
import { Silence } from "./silence.js";
import { Upgrade } from "./upgrade.js";
import { WebSocketCarrier } from "./websocket_carrier.js";

const MOST = 50; // groups whose positions are brought: an address has an end
const STABLE = 5_000; // ms: what has lasted so long starts the delays anew
const BREAK = { code: 1006, reason: "", wasClean: false };

export class Session {
  outbox = new Outbox();
  protocol = "";
  carrier;
  #url;
  #protocols;
  #options;
  #page;
  #network;
  #known; // the server's open packet, while the session may be found again
  #count = 0; // messages of this session that have come
  #at = {}; // its positions in groups, which the server tells
  #next; // what the next message adds to them
  #held; // what has come of a new session before the server has told whether something is missing
  #attempt = 0;
  #opened = 0; // when the carrier did, or 0
  #closing = false;
  #over = false;
  #polls = true; // until the server says that it does not know how
  #retryTimer;
  #silence = new Silence(() => this.lost({ ...BREAK, silent: true }));
  #upgrade;

  constructor(url, protocols, options, page) {
    this.#url = url;
    this.#protocols = protocols;
    this.#options = options;
    this.#page = page;
    this.#network = new Network(url.host);
    this.#upgrade = new Upgrade(this, options.openTimeout);
    this.#open(this.#first());
  }

  get isOpen() {
    return Boolean(this.#opened);
  }

  flush() {
    if (!this.#opened || this.#held || this.#upgrade.changing) return;
    const { carrier } = this;
    this.outbox.flush((...message) => carrier.send(...message), this.#known.resume);
  }

  close(code, reason) {
    this.#closing = true;
    this.#upgrade.stop();
    if (this.#opened) {
      this.flush();
      this.carrier.close(code, reason);
      this.#silence.expect(this.#options.openTimeout);
    } else {
      this.#leave(code, reason);
      this.#drop();
      setTimeout(() => this.#end(BREAK));
    }
  }

  // Gives up the carrier, as when the network does, and comes back.
  reconnect(delay) {
    if (this.#over || this.#closing) return;
    this.#drop();
    this.#schedule(delay);
  }

  // The browser says that it may be worth while.
  wake(otherNetwork) {
    if (otherNetwork) this.#network.unblock();
    const anew = otherNetwork && (!this.#opened || this.#known.resume);
    if (anew || this.#retryTimer) this.reconnect(0);
    else this.#silence.check();
  }

  // The page is left. Should it be shown again, it begins anew.
  leave() {
    if (this.#over) return;
    this.#leave(1001, "");
    this.#forget();
    this.#drop();
    this.#schedule(this.#options.minDelay);
  }

  #leave(code, reason) {
    if (this.#opened && this.carrier.transport === "websocket") this.carrier.close(code, reason);
    else if (this.#known) {
      const body = closePacket(code, reason);
      const options = { method: "POST", body, keepalive: true, credentials: "include" };
      fetch(this.#address("polling", this.#sid), options).catch(() => {});
    }
  }

  get #sid() {
    return `&sid=${encodeURIComponent(this.#known.sid)}`;
  }

  get #positions() {
    const known = Object.entries(this.#at).filter(([, position]) => position);
    return known[0] && !known[MOST] ? `&positions=${known}` : "";
  }

  #address(transport, query) {
    const url = new URL(this.#url);
    if (transport === "polling") url.protocol = url.protocol.replace("ws", "http");
    url.search += `${url.search ? "&" : "?"}EIO=4&transport=${transport}&resume=1${query}`;
    return url.href;
  }

  #allows(transport) {
    return this.#options.transports.includes(transport) && (this.#polls || transport !== "polling");
  }

  #first() {
    const polls = this.#allows("polling") && (this.#network.blocked || !this.#allows("websocket"));
    return polls ? "polling" : "websocket";
  }

  #open(transport) {
    const known = this.#known ? `${this.#sid}&received=${this.#count}` : "";
    const back = known + this.#positions;
    const owner = {
      count: () => this.#count,
      received: (type, data) => this.#receive(type, data),
      lost: (how) => this.lost(how),
    };
    const { openTimeout } = this.#options;
    if (transport === "websocket") {
      const address = this.#address(transport, back);
      this.carrier = new WebSocketCarrier(address, this.#protocols, owner);
      this.#silence.expect(openTimeout);
    } else {
      const names = encodeURIComponent(this.#protocols.join(","));
      const address = this.#address(transport, back + (names && `&protocols=${names}`));
      this.carrier = new PollingCarrier(address, owner);
      this.#silence.expect(openTimeout * 4);
    }
  }

  #receive(type, data) {
    this.#silence.heard();
    if (type === "0" && !this.#opened) this.#welcome(JSON.parse(data));
    else if (type === "2") this.#answer(data);
    else if ("4b7".includes(type)) this.#take(type === "7" && JSON.parse(data), data);
    else if (type === "1") this.#closed(data);
    else if (type === "8") explain(JSON.parse(data));
  }

  // A message; or, where something is told, what is in its place among them.
  #take(told, data) {
    this.#count++;
    if (!this.#held) this.#give(told, data);
    else if (told.recovered != null) this.#begin(told.recovered);
    else this.#held.push([told, data]);
  }

  #give(told, data) {
    Object.assign(this.#at, told ? told.at : this.#next);
    this.#next = told.next;
    if (this.#closing) return;
    if (!told) this.#page.message(data);
    else if (told.gap) this.#page.lost();
  }

  #welcome(details) {
    const resumed = this.#known?.sid === details.sid && "received" in details;
    this.#known = details;
    this.protocol = details.protocol ?? this.carrier.protocol ?? "";
    this.#opened = Date.now();
    this.#silence.expect(details.pingInterval + details.pingTimeout);
    this.carrier.start(this.#address("polling", this.#sid), details);
    if (details.upgrades?.includes("websocket")) this.#planUpgrade();
    if (resumed) {
      this.outbox.resume(details.received);
      this.flush();
      if (!this.#held) this.#page.opened({ resumed, recovered: true });
      return;
    }
    this.#count = 0;
    this.#rest();
    this.#held = [];
    if (details.recovered !== null) this.#begin(false);
  }

  // A new session is open for the page.
  #begin(recovered) {
    const held = this.#held;
    this.#held = undefined;
    this.#at = {};
    // What the page sends first in a new session stands before what has waited for it.
    const rest = this.outbox.restart();
    this.#page.opened({ resumed: false, recovered });
    for (const message of rest) this.outbox.add(message);
    this.flush();
    for (const one of held) this.#give(...one);
  }

  #answer(confirmed) {
    this.outbox.trim(Number(confirmed));
    this.carrier.sendPacket("3" + (this.#known.resume ? this.#count : ""));
    const lasting = Date.now() - this.#opened > this.#options.upgradeInterval;
    if (lasting && this.carrier.transport === "websocket") this.#network.unblock();
  }

  #closed(data) {
    const { code = 1005, reason = "" } = data ? JSON.parse(data) : {};
    this.#forget();
    this.#drop();
    this.#finish({ code, reason, wasClean: true });
  }

  // Whether what has been given has arrived is not known: only the rest waits for the next session.
  #forget() {
    this.#rest();
    this.#known = this.#held = undefined;
  }

  #rest() {
    for (const message of this.outbox.restart()) this.outbox.add(message);
  }

  lost(how) {
    const { transport } = this.carrier;
    const opened = this.#opened;
    this.#drop();
    if (this.#closing) this.#end({ ...BREAK, ...how });
    else if (opened) this.#broke(transport, how);
    else if (transport === "websocket" && this.#allows("polling")) {
      if (how.silent) this.#network.block();
      this.#open("polling");
    } else {
      // Neither comes through: the next attempt begins with the first again.
      if (transport === "polling") this.#network.unblock();
      const alone = how.unknown && this.#allows("websocket");
      if (alone) this.#polls = false;
      this.#finish(alone ? BREAK : how);
    }
  }

  #broke(transport, { code, reason, wasClean, retryAfter }) {
    const final = isFinal(code) && code !== 1000 && (wasClean || transport === "polling");
    if (final || !this.#known.resume) this.#forget();
    if (transport === "websocket") this.#network.broke();
    this.#finish(final ? { code, reason, wasClean } : { ...BREAK, retryAfter });
  }

  // Come back, or end.
  #finish(how) {
    if (this.#closing || !this.#wants(how)) this.#end(how);
    else this.#schedule(delayOf(this.#attempt + 1, this.#options, how.retryAfter));
  }

  #wants({ code, reason, wasClean, status }) {
    const how = { code, reason, wasClean, status };
    try {
      if (this.#options.retry) return this.#options.retry(how);
    } catch (error) {
      reportError(error);
    }
    return comesBack(how);
  }

  #schedule(delay) {
    this.#attempt++;
    if (delay) {
      this.#retryTimer = setTimeout(() => this.#start(), delay);
      this.#page.connecting({ attempt: this.#attempt, delay });
    } else this.#start();
  }

  #start() {
    this.#retryTimer = undefined;
    this.#page.connecting({ attempt: this.#attempt, delay: 0 });
    if (!this.#closing && !this.carrier) this.#open(this.#first());
  }

  #end(how) {
    if (this.#over) return;
    this.#over = true;
    this.#drop();
    this.#page.ended(how);
  }

  // Nothing carries the session any more.
  #drop() {
    if (this.#opened && Date.now() - this.#opened > STABLE) this.#attempt = 0;
    this.#opened = 0;
    clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    this.#silence.stop();
    this.#upgrade.stop();
    this.carrier?.abandon();
    this.carrier = undefined;
  }

  #planUpgrade() {
    if (!this.#allows("websocket") || this.carrier.transport === "websocket") return;
    const { minDelay, upgradeInterval } = this.#options;
    this.#upgrade.plan(this.#network.blocked ? upgradeInterval : minDelay);
  }

  openProbe(owner) {
    const received = (type, data) => this.#receive(type, data);
    const address = this.#address("websocket", this.#sid);
    return new WebSocketCarrier(address, this.#protocols, { received, ...owner }, true);
  }

  probeFailed() {
    this.#network.block();
    this.#planUpgrade();
  }

  changed(probe) {
    // The server goes on from there, whatever it has answered to polls that were given up.
    probe.sendPacket("5" + (this.#known.resume ? this.#count : ""));
    this.carrier.abandon();
    this.carrier = probe;
    this.#opened = Date.now();
    this.flush();
  }
}

// Under DEBUG: what a browser hides.
function explain({ level, message, traceback }) {
  console[level === "error" ? "error" : "warn"](traceback ? `${message}\n${traceback}` : message);
}
