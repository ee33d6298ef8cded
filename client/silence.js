// Something has to come within a time. A page that was frozen, or a computer that slept, notices late.

export class Silence {
  #ended;
  #limit;
  #heard;
  #timer;

  constructor(ended) {
    this.#ended = ended;
  }

  expect(limit) {
    this.#limit = limit;
    this.heard();
    this.check();
  }

  heard() {
    this.#heard = Date.now();
  }

  check() {
    if (!this.#limit) return;
    clearTimeout(this.#timer);
    const left = this.#heard + this.#limit - Date.now();
    if (left > 0) this.#timer = setTimeout(() => this.check(), left);
    else this.#ended();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#limit = undefined;
  }
}
