// Puts messages, notes and people on the page.

const log = document.getElementById("log");
const newer = document.getElementById("newer");
const TOGETHER = 5 * 60_000; // ms: messages of one person this close share one heading

function element(tag, className, text = "") {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}

function avatar(name) {
  const circle = element("span", "avatar", [...name][0].toUpperCase());
  let hue = 0;
  for (const character of name) hue = (hue * 31 + character.codePointAt(0)) % 360;
  circle.style.setProperty("--hue", hue);
  circle.ariaHidden = "true";
  return circle;
}

export function showMessage({ name, author, text, time }, own) {
  const when = new Date(time);
  const last = log.lastElementChild;
  const follows = last?.dataset.author === author && last.dataset.name === name
    && when - last.dataset.time < TOGETHER;

  const message = element("article", "message");
  message.classList.toggle("own", own);
  message.classList.toggle("follows", follows);
  Object.assign(message.dataset, { author, name, time: when.getTime() });
  if (!own) message.append(avatar(name));
  const heading = element("p", "heading", own ? "You" : name);
  const clock = element("time", "", when.toLocaleTimeString([], { timeStyle: "short" }));
  clock.dateTime = time;
  heading.append(clock);
  message.append(heading, element("p", "bubble", text));
  append(message, own);
}

export function showNote(text) {
  append(element("p", "note", text));
}

export function showPeople(names) {
  const count = document.getElementById("count");
  count.hidden = false;
  count.textContent = names.length === 1 ? "only you" : `${names.length} people`;
  document.getElementById("people").replaceChildren(...names.map((name) => {
    const person = element("li", "");
    person.append(avatar(name), element("span", "", name));
    return person;
  }));
}

// Follow the conversation, but do not pull away somebody who is reading further up.
function append(node, always = false) {
  const following = atEnd();
  log.append(node);
  if (following || always) toEnd();
  else newer.hidden = false;
}

function atEnd() {
  return log.scrollHeight - log.scrollTop - log.clientHeight < 60;
}

function toEnd() {
  log.scrollTop = log.scrollHeight;
}

log.onscroll = () => {
  if (atEnd()) newer.hidden = true;
};
newer.onclick = toEnd;
new ResizeObserver(toEnd).observe(log); // the keyboard of a phone makes the log smaller
