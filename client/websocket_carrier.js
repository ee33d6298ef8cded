// A WebSocket that carries a session. Its owner is told: opened(), received(type, data), lost(how).

import { closePacket } from "./packets.js";

export class WebSocketCarrier {
  transport = "websocket";

  // probing: the session is polled for, and shall come over here.
  constructor(address, protocols, owner, probing = false) {
    const socket = this.socket = new WebSocket(address, protocols);
    socket.binaryType = "arraybuffer";
    if (probing) socket.onopen = () => socket.send("2probe");
    socket.onmessage = ({ data }) => {
      const [type, rest] = typeof data === "string" ? [data[0], data.slice(1)] : ["b", data];
      if (probing && type === "3" && rest === "probe") owner.probed();
      else owner.received(type, rest);
    };
    socket.onclose = ({ code, reason, wasClean }) => owner.lost({ code, reason, wasClean });
  }

  get bufferedAmount() {
    return this.socket.bufferedAmount;
  }

  get protocol() {
    return this.socket.protocol;
  }

  get extensions() {
    return this.socket.extensions;
  }

  start() {} // it brings packets by itself

  send(data) {
    this.socket.send(typeof data === "string" ? "4" + data : data);
  }

  sendPacket(packet) {
    this.socket.send(packet);
  }

  close(code, reason) {
    this.sendPacket(closePacket(code, reason));
    // A page may not say 1001 and the like in the frame.
    if (code === 1000 || code >= 3000) this.socket.close(code, reason);
    else this.socket.close();
  }

  // Nothing more is heard of it.
  abandon() {
    const { socket } = this;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }
}
