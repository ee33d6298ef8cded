// Builds what the package serves: node build.js [where]

import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { minify } from "terser";

const source = dirname(fileURLToPath(import.meta.url));
const output = process.argv[2] ?? join(source, "../dwebsocket/static/dwebsocket");
// What modules call of each other, and nobody else does, needs no long name. None of these words may
// be one of the browser's or of the wire's.
const INTERNAL = [
  ...["abandon", "add", "block", "blocked", "broke", "carrier", "changed", "changing", "check"],
  ...["confirmed", "connecting", "count", "ended", "expect", "flush", "heard", "isOpen", "leave"],
  ...["lost", "opened", "openProbe", "outbox", "pause", "plan", "probed", "probeFailed", "restart"],
  ...["retryAfter", "sendPacket", "silent", "start", "stop", "trim", "unblock", "unknown"],
  ...["waiting", "wake"],
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
for (const name of ["websocket.js", "websocket.mjs"]) {
  const path = join(output, name);
  const compress = { passes: 3, unsafe_arrows: true, unsafe_methods: true, keep_fargs: false };
  const { code } = await minify(await readFile(path, "utf8"), {
    module: name.endsWith(".mjs"),
    toplevel: true,
    ecma: 2022,
    compress,
  });
  await writeFile(path, code);
}
for (const name of ["websocket.d.ts", "websocket.d.mts"]) {
  await copyFile(join(source, name), join(output, name));
}
