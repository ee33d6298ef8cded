// What Engine.IO's packets are made of, where they have to be text.

export const SEPARATOR = "\x1e"; // between the packets of a poll

const CHUNK = 0x8000; // so many arguments a call takes everywhere

export function toBase64(buffer) {
  const bytes = new Uint8Array(buffer);
  let text = "";
  for (let start = 0; start < bytes.length; start += CHUNK) {
    text += String.fromCharCode(...bytes.subarray(start, start + CHUNK));
  }
  return btoa(text);
}

export function fromBase64(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0)).buffer;
}

// A message in a poll. A text with a separator in it goes as base64, too.
export async function toPacket(data) {
  if (data instanceof Blob) data = await data.arrayBuffer();
  if (typeof data !== "string") return "b" + toBase64(data);
  return data.includes(SEPARATOR) ? "t" + toBase64(new TextEncoder().encode(data)) : "4" + data;
}

// → its type and its data: "t" is the text that it stands for.
export function fromPacket(packet) {
  const type = packet[0], data = packet.slice(1);
  if (type === "b") return [type, fromBase64(data)];
  if (type === "t") return ["4", new TextDecoder().decode(fromBase64(data))];
  return [type, data];
}

export function closePacket(code, reason) {
  return code ? "1" + JSON.stringify({ code, reason }) : "1";
}
