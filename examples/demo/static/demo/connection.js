// A connection that comes back by itself, the words that say how it is, and the buttons that need it:
// those with data-sends.

// path: text, or a function that says where to go. onopen is told whether the same session goes on.
export function connect(path, { state, onopen = () => {}, onmessage, onlost = () => {} }) {
  const show = stateOf(state);
  let socket, timer, reached = false;

  function open() {
    clearTimeout(timer);
    show("connecting", "Connecting…");
    const current = socket = new DWebSocket(path instanceof Function ? path() : path);
    current.binaryType = "arraybuffer";
    let open = false;
    current.onopen = ({ resumed }) => {
      clearTimeout(timer);
      open = reached = true;
      show("open", "Connected");
      onopen(resumed);
    };
    current.onmessage = (event) => onmessage(event.data);
    current.onconnecting = ({ delay }) => {
      if (open) onlost();
      open = false;
      wait(Date.now() + delay);
    };
    current.onclose = (event) => {
      if (current !== socket) return;
      clearTimeout(timer);
      if (open) onlost();
      show("ended", event.code === 1000 ? "The server has ended it" : `Refused: ${event.reason || event.code}`);
    };
  }

  function wait(until) {
    clearTimeout(timer);
    const left = until - Date.now();
    // A browser does not tell scripts whether it was refused, why, or whether nobody was there.
    const words = reached ? "Connection lost" : "Cannot connect, see the log of the server";
    show("lost", words, left > 0 ? `retrying in ${Math.ceil(left / 1000)} s` : "retrying");
    if (left > 0) timer = setTimeout(wait, Math.min(left, 250), until);
  }

  state.querySelector("button").onclick = () => {
    if (state.dataset.state === "ended") open();
    else socket.reconnect();
  };
  open();

  return {
    send: (data) => socket.send(data),
    isOpen: () => socket.readyState === DWebSocket.OPEN,
    cut: (milliseconds) => socket.reconnect(milliseconds),
    goTo(newPath) {
      path = newPath;
      const old = socket;
      open();
      old.close(1000);
    },
  };
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
