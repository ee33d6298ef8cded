// What the browser tells of the page and of its network.

export function watchPage(session) {
  const listening = new AbortController();
  const listen = (target, type, listener) =>
    target?.addEventListener(type, listener, { signal: listening.signal });
  listen(globalThis, "online", () => session.wake(true));
  listen(globalThis, "pageshow", () => session.wake());
  listen(globalThis.document, "visibilitychange", () => document.hidden || session.wake());
  listen(globalThis, "pagehide", () => session.leave());
  return () => listening.abort();
}
