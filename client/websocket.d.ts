import type Client from "./websocket.mjs";

declare global {
  var DWebSocket: typeof Client;
  type DWebSocket = Client;
}
