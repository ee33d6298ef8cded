// When to come back, and when not.

export const OPTIONS = {
  transports: ["websocket", "polling"],
  openTimeout: 5_000, // milliseconds, all of them
  upgradeInterval: 60_000,
  minDelay: 1_000,
  maxDelay: 30_000,
  maxBuffer: 2 ** 20, // bytes
};

const FINAL = [1000, 1002, 1003, 1007, 1008, 1009];
const PASSING = [408, 429]; // refusals that are only for now

// Codes of which the server will not think better. From 4000 on they are the site's own words.
export function isFinal(code) {
  return FINAL.includes(code) || (code >= 4000 && code < 5000);
}

export function comesBack({ code, status = 0 }) {
  return !isFinal(code) && (status < 300 || status >= 500 || PASSING.includes(status));
}

// Milliseconds before an attempt: the first is made at once, the others with full jitter, so that not
// all pages come back in the same moment.
export function delayOf(attempt, { minDelay, maxDelay }, retryAfter) {
  const jitter = Math.random() * Math.min(minDelay * 2 ** Math.max(attempt - 2, 0), maxDelay);
  if (!retryAfter) return attempt > 1 ? jitter : 0;
  const asked = Number(retryAfter) * 1000 || Date.parse(retryAfter) - Date.now() || 0;
  return Math.max(asked, 0) + jitter;
}
