/** How a connection ended. */
export interface Ending {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
  /** The HTTP status, where the server has refused the handshake. */
  readonly status?: number;
}

export interface Options {
  /** Whether to come back. Without it: unless the code says that it is no use, or HTTP 4xx. */
  retry?: (ending: Ending) => boolean;
  /** What may carry the connection: both, WebSocket first. */
  transports?: readonly ("websocket" | "polling")[];
  /** Milliseconds in which a WebSocket has to open (5000); polling has four times as long. */
  openTimeout?: number;
  /** Milliseconds between two attempts to change from polling to a WebSocket (60000). */
  upgradeInterval?: number;
  /** The delay of the second attempt is at most so many milliseconds (1000), … */
  minDelay?: number;
  /** … it doubles with each, up to so many (30000). */
  maxDelay?: number;
  /** Bytes of messages that may wait while there is no connection (1048576). */
  maxBuffer?: number;
}

export interface ConnectingEvent extends Event {
  /** 1 for the first attempt to come back. */
  readonly attempt: number;
  /** Milliseconds until it is made; 0: now. */
  readonly delay: number;
}

export interface OpenEvent extends Event {
  /** The same session goes on: nothing was lost, nothing comes twice. */
  readonly resumed: boolean;
  /** Nothing is missing, of groups with a history, either; false: load anew what the page shows. */
  readonly recovered: boolean;
}

export interface DWebSocketEventMap {
  connecting: ConnectingEvent;
  open: OpenEvent;
  message: MessageEvent;
  /** While it was open a message of a group with a history was lost: load anew. */
  lost: Event;
  error: Event;
  /** Only at the end: it was closed, or has given up. */
  close: CloseEvent & Ending;
}

/** A WebSocket that comes back by itself. */
export default class DWebSocket extends EventTarget {
  static readonly CONNECTING: 0;
  static readonly OPEN: 1;
  static readonly CLOSING: 2;
  static readonly CLOSED: 3;
  readonly CONNECTING: 0;
  readonly OPEN: 1;
  readonly CLOSING: 2;
  readonly CLOSED: 3;

  constructor(url: string | URL, protocols?: string | readonly string[], options?: Options);

  readonly url: string;
  /** CONNECTING whenever it is away. */
  readonly readyState: 0 | 1 | 2 | 3;
  readonly protocol: string;
  readonly extensions: string;
  /** Bytes that no network has taken yet, and those that wait for a connection. */
  readonly bufferedAmount: number;
  /** What carries it at present, or "". */
  readonly transport: "websocket" | "polling" | "";
  binaryType: "blob" | "arraybuffer";

  onconnecting: ((this: DWebSocket, event: ConnectingEvent) => unknown) | null;
  onopen: ((this: DWebSocket, event: OpenEvent) => unknown) | null;
  onmessage: ((this: DWebSocket, event: MessageEvent) => unknown) | null;
  onlost: ((this: DWebSocket, event: Event) => unknown) | null;
  onerror: ((this: DWebSocket, event: Event) => unknown) | null;
  onclose: ((this: DWebSocket, event: CloseEvent & Ending) => unknown) | null;

  /** Send, or keep until there is a connection. Throws when it is closed or too much waits. */
  send(data: string | ArrayBuffer | ArrayBufferView | Blob): void;
  /** Close for good. */
  close(code?: number, reason?: string): void;
  /** Drop what carries it, as a network does that breaks, and come back after so many milliseconds. */
  reconnect(delay?: number): void;

  addEventListener<Type extends keyof DWebSocketEventMap>(
    type: Type,
    listener: (this: DWebSocket, event: DWebSocketEventMap[Type]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<Type extends keyof DWebSocketEventMap>(
    type: Type,
    listener: (this: DWebSocket, event: DWebSocketEventMap[Type]) => unknown,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
}
