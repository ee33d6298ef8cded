// The chat page: a name, a connection, and what arrives on it. Everything people write is put on
// the page as text, never as HTML.
import { connect } from "../demo/connection.js";
import { showMessage, showNote, showPeople } from "./log.js";

const $ = (id) => document.getElementById(id);
const socketPath = document.querySelector(".chat").dataset.socket;
const author = (sessionStorage.chatAuthor ??= Math.random().toString(36).slice(2));
const shown = new Set(); // ids of messages: after a reconnection the history repeats them
let connection, waiting, change, gone = false;

function path() {
  return `${socketPath}?${new URLSearchParams({ name: sessionStorage.chatName, author })}`;
}

function start() {
  $("me").textContent = sessionStorage.chatName;
  if (connection) return connection.goTo(path());
  connection = connect(path(), { state: document.querySelector(".state"), onopen, onmessage, onlost });
}

function onopen() {
  waiting = []; // what is said while we are let in belongs behind the history
}

function onmessage(data) {
  const event = JSON.parse(data);
  if (event.type === "welcome") {
    event.history.forEach(show);
    const early = waiting;
    waiting = null;
    change = 0; // a server that was started again counts anew
    showChange(event);
    if (gone) showNote("You are back");
    gone = false;
    early.forEach(receive);
  } else if (waiting) {
    waiting.push(event);
  } else {
    receive(event);
  }
}

function receive(event) {
  if (event.type === "message") return show(event);
  showChange(event);
  showNote(`${event.name} ${event.type === "joined" ? "joined" : "left"}`);
}

function showChange(event) {
  if (event.change < change) return; // overtaken by a later one
  change = event.change;
  showPeople(event.people);
}

function show(message) {
  if (shown.has(message.id)) return;
  shown.add(message.id);
  showMessage(message, message.author === author);
}

function onlost() {
  if (!gone) showNote("Connection lost. What you write stays here until it is back.");
  gone = true;
}

$("composer").onsubmit = (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text || !connection?.isOpen()) return;
  connection.send(JSON.stringify({ text }));
  $("text").value = "";
  $("text").focus();
};

$("text").onkeydown = (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("composer").requestSubmit();
};

$("rename").onclick = askName;

function askName() {
  $("name").value = sessionStorage.chatName ?? "";
  $("welcome").showModal();
  $("name").select();
}

$("naming").onsubmit = () => {
  sessionStorage.chatName = $("name").value.trim();
  start();
  $("text").focus();
};

$("welcome").oncancel = (event) => {
  if (!sessionStorage.chatName) event.preventDefault(); // nobody joins without a name
};

if (sessionStorage.chatName) {
  start();
  $("text").focus();
} else {
  askName();
}
