// A WebSocket that comes back by itself, the words that say how it is, and the buttons that need it:
// those with data-sends.

const FIRST_DELAY = 500, LONGEST_DELAY = 15_000; // milliseconds
const STABLE_AFTER = 5_000; // a connection that lasted this long starts the delays anew

// path: text, or a function that says where to go each time.
export function connect(path, { state, onopen = () => {}, onmessage, onlost = () => {} }) {
  const show = stateOf(state);
  let socket, timer, opened, reached = false, failures = 0;

  function open() {
    clearTimeout(timer);
    opened = null;
    show("connecting", "Connecting…");
    const current = socket = new WebSocket(addressOf(path instanceof Function ? path() : path));
    current.binaryType = "arraybuffer";
    current.onopen = () => {
      opened = Date.now();
      reached = true;
      show("open", "Connected");
      onopen();
    };
    current.onmessage = (event) => onmessage(event.data);
    current.onclose = (event) => {
      if (current === socket) closed(event);
    };
  }

  function closed(event) {
    if (opened) onlost();
    if (opened && event.code === 1000) return show("ended", "The server has ended it");
    if (opened && Date.now() - opened > STABLE_AFTER) failures = 0;
    // Half of the delay is left to chance, so that not all pages come back in the same moment.
    const delay = Math.min(FIRST_DELAY * 2 ** failures++, LONGEST_DELAY) * (0.5 + Math.random() / 2);
    wait(Date.now() + delay);
  }

  function wait(until) {
    const left = until - Date.now();
    if (left <= 0) return open();
    // A browser does not tell scripts whether it was refused, why, or whether nobody was there.
    const words = reached ? "Connection lost" : "Cannot connect, see the log of the server";
    show("lost", words, `retrying in ${Math.ceil(left / 1000)} s`);
    timer = setTimeout(wait, Math.min(left, 250), until);
  }

  const lost = () => state.dataset.state === "lost" || state.dataset.state === "ended";
  state.querySelector("button").onclick = () => lost() && open();
  addEventListener("online", () => state.dataset.state === "lost" && open());
  open();

  return {
    send: (data) => socket.send(data),
    isOpen: () => socket.readyState === WebSocket.OPEN,
    goTo(newPath) {
      path = newPath;
      failures = 0;
      const old = socket;
      open();
      old.close(1000);
    },
  };
}

function addressOf(path) {
  const address = new URL(path, location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  return address;
}

function stateOf(element) {
  const [words, seconds, button] = element.children;
  const senders = document.querySelectorAll("[data-sends]");
  return (name, text, left = "") => {
    element.dataset.state = name;
    if (words.textContent !== text) words.textContent = text; // said aloud once, not each second
    seconds.textContent = left;
    for (const sender of senders) sender.disabled = name !== "open";
    button.hidden = name !== "lost" && name !== "ended";
    button.textContent = name === "ended" ? "Start again" : "Retry now";
  };
}
