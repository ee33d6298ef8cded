// The start page: who has it open, and what they say. All of it is put on the page as text.
import { connect } from "./connection.js";

const COLOURS = { Red: 0, Amber: 38, Green: 130, Teal: 175, Blue: 215, Violet: 270, Pink: 325 }; // hues
const ANIMALS = ["badger", "crane", "fox", "heron", "lynx", "marten", "otter", "owl", "seal", "wren"];
const KEPT = 50; // lines of the log

const card = document.querySelector(".windows");
const [count, list, log, form] = ["h2", "ul", "ol", "form"].map((name) => card.querySelector(name));
const colour = choose(Object.keys(COLOURS));
const name = `${colour} ${choose(ANIMALS)}`;
const here = new Map(); // the open windows by their ids
let me, lost = false;

const connection = connect(`${card.dataset.socket}?${new URLSearchParams({ name })}`, {
  state: card.querySelector(".state"),
  onopen(resumed) {
    if (resumed) back(); // nobody has noticed
    else here.clear();
  },
  onlost() {
    if (!lost) note("The connection is lost. This page connects again by itself.");
    lost = true;
    count.textContent = "Not connected";
    list.replaceChildren();
  },
  onmessage: (data) => receive(JSON.parse(data)),
});

const receivers = {
  welcome(window) {
    me = window.id;
    add(window);
    if (!lost) note(`You are ${window.name}.`);
    back();
  },
  came(window) {
    add(window);
    note(`${window.name} has come.`);
    connection.send(JSON.stringify({ answer: window.id }));
  },
  here: add,
  said: ({ id, name, text }) => note(`${id === me ? "You" : name}: ${text}`),
  left({ id, name }) {
    if (!here.delete(id)) return;
    showWindows();
    note(`${name} has left.`);
  },
};

function back() {
  if (lost) note("Connected again.");
  lost = false;
  showWindows();
}

function receive({ type, ...window }) {
  receivers[type](window);
}

function add(window) {
  here.set(window.id, window);
  showWindows();
}

function showWindows() {
  count.textContent = ["Not connected", "1 window is open: this one"][here.size] ?? `${here.size} windows are open`;
  const mineFirst = [...here.values()].sort((one, other) => (other.id === me) - (one.id === me));
  list.replaceChildren(...mineFirst.map(({ id, name, process }) => {
    const item = element("li", name);
    item.style.setProperty("--hue", COLOURS[name.split(" ")[0]] ?? 0);
    item.append(element("small", `${id === me ? "this window, " : ""}process ${process}`));
    return item;
  }));
}

function note(text) {
  log.append(element("li", text));
  if (log.children.length > KEPT) log.firstElementChild.remove();
  log.scrollTop = log.scrollHeight;
}

function element(tag, text) {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

function choose(all) {
  return all[Math.floor(Math.random() * all.length)];
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = form.elements.text.value.trim();
  if (!text || !connection.isOpen()) return;
  connection.send(JSON.stringify({ text }));
  form.reset();
});
