import { connect } from "../demo/connection.js";

const KEPT = 50; // notifications on the page
const form = document.querySelector("form"), button = form.querySelector("button");
const list = document.querySelector("ol"), problem = form.querySelector(".problem");
const time = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const title = document.title;
let unseen = 0;

connect(document.getElementById("script").dataset.socket, {
  state: document.querySelector(".state"),
  onopen: () => { button.disabled = false; },
  onmessage(message) {
    const notification = JSON.parse(message);
    // After a reconnection the server tells of the last ones again.
    if (!document.getElementById(`notification-${notification.id}`)) show(notification);
  },
});

function show({ id, level, text, created }) {
  const item = document.createElement("li");
  item.id = `notification-${id}`;
  item.className = "card";
  item.dataset.level = level;
  item.append(element("span", text), element("time", time.format(new Date(created))));
  list.prepend(item);
  if (list.children.length > KEPT) list.lastElementChild.remove();
  if (document.hidden) document.title = `(${++unseen}) ${title}`;
}

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text; // never as HTML: others wrote it
  return made;
}

form.onsubmit = async (event) => {
  event.preventDefault();
  button.disabled = true;
  const answer = await fetch(form.action, { method: "POST", body: new FormData(form) }).catch(() => null);
  button.disabled = false;
  problem.hidden = Boolean(answer?.ok);
  problem.textContent = answer ? `The server did not take it (${answer.status}).` : "The server cannot be reached.";
  if (answer?.ok) form.elements.text.value = "";
  form.elements.text.focus();
};

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) {
    unseen = 0;
    document.title = title;
  }
});
