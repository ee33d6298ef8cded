// For a classic script.
import DWebSocket from "./websocket.js";

globalThis.DWebSocket = DWebSocket;
