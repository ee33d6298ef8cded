// A session that is polled for tries a WebSocket beside, and changes to it when it comes through.
// Its session is asked: openProbe(owner), carrier; and told: changed(probe), probeFailed(), lost(how).

export class Upgrade {
  changing = false; // nothing is given to the carrier any more
  #session;
  #timeout;
  #timer;
  #probe;

  constructor(session, timeout) {
    this.#session = session;
    this.#timeout = timeout;
  }

  plan(delay) {
    this.#timer = setTimeout(() => this.#begin(), delay);
  }

  stop() {
    clearTimeout(this.#timer);
    this.#probe?.abandon();
    this.#probe = undefined;
    this.changing = false;
  }

  #begin() {
    const probe = this.#session.openProbe({
      probed: () => this.#change(probe),
      lost: (how) => (this.#probe === probe ? this.#fail() : this.#session.lost(how)),
    });
    this.#probe = probe;
    this.#timer = setTimeout(() => this.#fail(), this.#timeout);
  }

  #fail() {
    const { changing } = this;
    this.stop();
    if (changing) this.#session.lost({}); // it is polled for no more
    else this.#session.probeFailed();
  }

  // The last poll is awaited, then the WebSocket carries the session.
  async #change(probe) {
    clearTimeout(this.#timer);
    this.changing = true;
    await this.#session.carrier.pause();
    if (this.#probe !== probe) return;
    this.#probe = undefined;
    this.changing = false;
    this.#session.changed(probe);
  }
}
