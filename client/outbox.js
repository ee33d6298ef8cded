// The messages that the server has not confirmed, in their order: those that a carrier has got, and
// then those that wait for one.

export class Outbox {
  confirmed = 0; // messages of this session that the server has got and that are not here any more
  #messages = [];
  #given = 0; // how many of them a carrier has got
  waiting = 0; // bytes of the others

  add(data) {
    const size = sizeOf(data);
    this.#messages.push([data, size]);
    this.waiting += size;
  }

  // Gives all that waits: give(data, number, size), numbers count from 1 in each session. What cannot be
  // asked for again is not `kept`.
  flush(give, kept) {
    while (this.#given < this.#messages.length) {
      const [data, size] = this.#messages[this.#given++];
      this.waiting -= size;
      give(data, this.confirmed + this.#given, size);
    }
    if (!kept) this.trim(this.confirmed + this.#given);
  }

  // The server has got so many messages of this session.
  trim(count) {
    const got = Math.min(count - this.confirmed, this.#given);
    if (!(got > 0)) return;
    this.#messages.splice(0, got);
    this.#given -= got;
    this.confirmed += got;
  }

  // The session goes on with another carrier: it gets everything that the server has not.
  resume(count) {
    this.trim(count);
    this.waiting += this.#messages.slice(0, this.#given).reduce((sum, [, size]) => sum + size, 0);
    this.#given = 0;
  }

  // The session is over: what a carrier has got may have arrived, and is not sent again. → the rest.
  restart() {
    const rest = this.#messages.slice(this.#given);
    this.#messages = [];
    this.#given = this.confirmed = this.waiting = 0;
    return rest.map(([data]) => data);
  }
}

export function sizeOf(data) {
  if (typeof data === "string") return new TextEncoder().encode(data).length;
  return data.byteLength ?? data.size;
}
