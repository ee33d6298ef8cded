// Says who is just typing: each of them for as long as they go on.

const line = document.getElementById("typing");
const LASTING = 4000; // milliseconds after the last we have heard
const typing = new Map(); // by their tabs: their names, and what ends it

export function showTyping(tab, name) {
  clearTimeout(typing.get(tab)?.timer);
  typing.set(tab, { name, timer: setTimeout(stopTyping, LASTING, tab) });
  show();
}

export function stopTyping(tab) {
  clearTimeout(typing.get(tab)?.timer);
  if (typing.delete(tab)) show();
}

function show() {
  const names = [...typing.values()].map(({ name }) => name);
  const who = names.length > 2 ? `${names.length} people are` : names.length === 2
    ? `${names[0]} and ${names[1]} are` : `${names[0]} is`;
  line.textContent = names.length ? `${who} typing…` : "";
}
