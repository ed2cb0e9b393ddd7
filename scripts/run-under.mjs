// Plain JavaScript for Node 18 and newer: it runs before the pinned Node is there.
import { spawn } from "node:child_process";

/** Names the descriptor whose end tells a child that its parent is gone. */
const LIFELINE = "DARKMATTER_LIFELINE";
const LIFELINE_FD = 3;

/**
 * Becomes `node ...args`: the same stdio, the same signals, the same end. Where a process cannot be
 * replaced, a child does the work, and the end of a fourth pipe stops it should this process be killed.
 */
export function runUnder(node, args) {
  if (process.execve) process.execve(node, [node, ...args], process.env);
  const child = spawn(node, args, {
    stdio: ["inherit", "inherit", "inherit", "pipe"],
    env: { ...process.env, [LIFELINE]: String(LIFELINE_FD) },
  });
  child.stdio[LIFELINE_FD].on("error", () => {}); // the child ended first; its exit is reported below
  // A terminal sends these to the whole group: passed on, they would arrive twice.
  const fromTerminal = process.stdin.isTTY ? ["SIGINT", "SIGHUP", "SIGQUIT"] : [];
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR2"]) {
    if (process.platform === "win32" && signal !== "SIGINT") continue;
    process.on(signal, () => {
      if (!fromTerminal.includes(signal)) child.kill(signal);
    });
  }
  child.on("error", (error) => {
    console.error(`DarkMatter could not start ${node}: ${error.message}`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
