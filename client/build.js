// Builds what the package serves: node build.js [where]

import { copyFile, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const source = dirname(fileURLToPath(import.meta.url));
const output = process.argv[2] ?? join(source, "../dwebsocket/static/dwebsocket");
// What modules call of each other, and nobody else does, needs no long name. None of these words may
// be one of the browser's or of the wire's.
const INTERNAL = [
  ...["abandon", "block", "blocked", "broke", "carrier", "changed", "changing", "check", "confirmed"],
  ...["ended", "expect", "flush", "heard", "isOpen", "leave", "opened", "openProbe", "outbox", "plan"],
  ...["probed", "probeFailed", "restart", "retryAfter", "sendPacket", "silent", "trim", "unblock"],
  ...["unknown", "waiting", "wake"],
];
const options = {
  bundle: true,
  minify: true,
  charset: "utf8",
  target: "es2022",
  mangleProps: new RegExp(`^(${INTERNAL.join("|")})$`),
};

await mkdir(output, { recursive: true });
await build({
  ...options,
  entryPoints: [join(source, "global.js")],
  format: "iife",
  outfile: join(output, "websocket.js"),
});
await build({
  ...options,
  entryPoints: [join(source, "websocket.js")],
  format: "esm",
  outfile: join(output, "websocket.mjs"),
});
for (const name of ["websocket.d.ts", "websocket.d.mts"]) {
  await copyFile(join(source, name), join(output, name));
}
