#!/usr/bin/env node
// Where a bundle begins: the program in one file, on a Node that is new enough.
import module from "node:module";
import { Socket } from "node:net";
import { join } from "node:path";

/** How long a program whose parent was killed may take to stop cleanly. */
const STOP_MS = 5000;

/** Stops with whoever started this process, when it left a pipe open for that. */
function stopWithParent(fd: number): void {
  const lifeline = new Socket({ fd });
  lifeline.unref();
  lifeline.on("error", () => undefined);
  lifeline.on("close", () => {
    setTimeout(() => process.exit(1), STOP_MS).unref();
    process.kill(process.pid, "SIGTERM");
  });
  lifeline.resume();
}

if (process.env.DARKMATTER_LIFELINE !== undefined) {
  const fd = Number(process.env.DARKMATTER_LIFELINE);
  delete process.env.DARKMATTER_LIFELINE;
  stopWithParent(fd);
}
// Beside the program and not in the shared temporary folder, where others could plant code.
module.enableCompileCache(join(import.meta.dirname, ".cache"));
const { main } = await import("../../../main.ts");
await main(process.argv.slice(2));
