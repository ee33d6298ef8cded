// The chat page: a name, a connection, and what arrives on it. Everything people write is put on
// the page as text, never as HTML.
import { connect } from "../demo/connection.js";
import { showMessage, showNote, showPeople } from "./log.js";
import { showTyping, stopTyping } from "./typing.js";

const $ = (id) => document.getElementById(id);
const socketPath = document.querySelector(".chat").dataset.socket;
const author = (sessionStorage.chatAuthor ??= Math.random().toString(36).slice(2));
const shown = new Set(); // ids of messages: after a long absence the newest ones come again
const CUT = 5000; // milliseconds
const people = new Map(); // by their tabs
let connection, heard, gone = false;

function path() {
  const name = sessionStorage.chatName;
  return `${socketPath}?${new URLSearchParams({ name, author })}`;
}

function start() {
  $("me").textContent = sessionStorage.chatName;
  if (connection) return connection.goTo(path);
  connection = connect(path, { state: document.querySelector(".state"), onopen, onmessage, onlost });
}

function onopen(resumed) {
  if (resumed) showBack(true);
  else heard = false; // the first we hear of who is here is all of them
}

function onmessage(data) {
  const event = JSON.parse(data);
  if ("recovered" in event) showBack(event.recovered);
  else receive(event.data ? JSON.parse(event.data) : event);
}

function receive(event) {
  if (event.type === "message") show(event);
  else if (event.type === "presence") showPresence(event);
  else if (event.type === "typing") showTyping(event.author, event.name);
}

function showBack(recovered) {
  if (gone) showNote("You are back");
  if (!recovered) showNote("Some older messages are missing here");
  gone = false;
}

function showPresence({ joined, left }) {
  if (!heard) people.clear();
  for (const [tab, { name }] of Object.entries(joined)) {
    if (heard && tab !== author && !people.has(tab)) showNote(`${name} joined`);
    people.set(tab, name);
  }
  for (const [tab, { name }] of Object.entries(left)) {
    people.delete(tab);
    if (tab !== author) showNote(`${name} left`);
  }
  heard = true;
  showPeople([...people.values()].sort((a, b) => a.localeCompare(b)));
}

function show(message) {
  if (shown.has(message.id)) return;
  shown.add(message.id);
  stopTyping(message.author);
  showMessage(message, message.author === author);
}

function onlost() {
  if (!gone) showNote("Connection lost. What you write is sent when it is back.");
  gone = true;
}

$("composer").onsubmit = (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text || !connection) return;
  connection.send(JSON.stringify({ text })); // while the connection is away it waits
  $("text").value = "";
  told = 0;
  $("text").focus();
};

let told = 0; // when we last said that we are typing

$("text").oninput = () => {
  if (!connection?.isOpen() || !$("text").value || Date.now() - told < 2000) return;
  told = Date.now();
  connection.send(JSON.stringify({ typing: true }));
};

$("text").onkeydown = (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("composer").requestSubmit();
};

$("rename").onclick = askName;

// As a network does that breaks.
$("cut").onclick = () => connection?.cut(CUT);

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
