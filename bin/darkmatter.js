#!/usr/bin/env node
// Plain JavaScript for Node 18 and newer. Start-up time is a published figure: on a Node that is new
// enough nothing is imported here but `node:module` and the program.
import module from "node:module";

const NODE_MAJOR_MIN = 24;

/** How long a program whose parent was killed may take to stop cleanly. */
const STOP_MS = 5000;

async function stopWithParent(fd) {
  const { Socket } = await import("node:net");
  const lifeline = new Socket({ fd });
  lifeline.unref();
  lifeline.on("error", () => {});
  lifeline.on("close", () => {
    setTimeout(() => process.exit(1), STOP_MS).unref();
    process.kill(process.pid, "SIGTERM");
  });
  lifeline.resume();
}

async function start() {
  if (process.env.DARKMATTER_LIFELINE !== undefined) {
    const fd = Number(process.env.DARKMATTER_LIFELINE);
    delete process.env.DARKMATTER_LIFELINE; // it is this process's alone
    await stopWithParent(fd);
  }
  // Inside the clone and not in the shared temporary folder, where others could plant code.
  module.enableCompileCache(`${import.meta.dirname}/../node_modules/.cache/darkmatter`);
  const { main } = await import("../packages/node/src/main.ts");
  await main(process.argv.slice(2));
}

async function startUnderPinnedNode() {
  const { pinnedNode, noNodeHere } = await import("../scripts/pinned-node.mjs");
  const { runUnder } = await import("../scripts/run-under.mjs");
  const node = pinnedNode();
  if (node === undefined) throw new Error(noNodeHere);
  runUnder(node, [...process.execArgv, ...process.argv.slice(1)]);
}

async function explain(error) {
  const { existsSync } = await import("node:fs");
  const { fileURLToPath } = await import("node:url");
  if (existsSync(new URL("../node_modules/@darkmatter/node", import.meta.url))) return error;
  const root = fileURLToPath(new URL("..", import.meta.url));
  return `DarkMatter is not installed yet. Run this once, then try again:\n  cd ${root} && npm ci`;
}

const major = Number(process.versions.node.split(".", 1)[0]);
(major >= NODE_MAJOR_MIN ? start() : startUnderPinnedNode()).catch(async (error) => {
  console.error(await explain(error));
  process.exit(1);
});
