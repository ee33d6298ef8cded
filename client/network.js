// What is known of the network: whether WebSockets come through. A tab remembers it across its pages.

const BREAKS = 2, WITHIN = 60_000; // so many in so many milliseconds are not chance

export class Network {
  #key;
  #breaks = [];
  blocked;

  constructor(host) {
    this.#key = `dwebsocket ${host}`;
    try {
      this.blocked = Boolean(sessionStorage.getItem(this.#key));
    } catch {
      this.blocked = false; // a page may have no storage
    }
  }

  // A WebSocket that had opened was cut.
  broke() {
    const now = Date.now();
    this.#breaks = [...this.#breaks.filter((time) => now - time < WITHIN), now];
    if (this.#breaks.length >= BREAKS) this.block();
  }

  block() {
    this.#remember(true);
  }

  // A WebSocket has lasted, or it is another network.
  unblock() {
    this.#breaks = [];
    this.#remember(false);
  }

  #remember(blocked) {
    this.blocked = blocked;
    try {
      if (blocked) sessionStorage.setItem(this.#key, "polling");
      else sessionStorage.removeItem(this.#key);
    } catch {}
  }
}
