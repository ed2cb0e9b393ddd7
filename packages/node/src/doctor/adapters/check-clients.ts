import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { homedir } from "node:os";
import { isAbsolute } from "node:path";
import { commandOf, isOurs, type Target, targets } from "../../setup/client.ts";
import { findEntry, isFound } from "../../setup/set-up.ts";
import { type Finding, fail, ok, warn } from "../finding.ts";
import type { Typing } from "./patient.ts";

const RUN_MS = 10_000;

/** Every MCP client found here: has its entry, and what it starts runs. */
export async function checkClients({ command }: Typing): Promise<Finding[]> {
  const found = targets({ user: homedir(), env: process.env }).filter(isFound);
  if (found.length === 0) return [ok("client", "no MCP client found on this machine")];
  return Promise.all(found.map((target) => checkClient(target, command)));
}

async function checkClient(target: Target, command: Typing["command"]): Promise<Finding> {
  const { path, found } = findEntry(target);
  const setup = command(`setup ${target.client} --yes`);
  if (found.kind === "refused")
    return fail(
      "client",
      `${target.client}: ${path}: ${found.reason}`,
      "Repair the file: the client cannot read it either.",
    );
  if (found.kind === "absent")
    return warn("client", `${target.client} does not know this agent: nothing in ${path}`, setup);
  if (target.format === "skill") return ok("client", `${target.client}: ${path}`);
  const words = commandOf(found.value);
  const missing = words.filter(isAbsolute).find((word) => !isThere(word));
  if (missing) return fail("client", `${target.client} starts ${missing}, which is not there`, setup);
  // What else a file may say (a shell, another machine) is the client's to start; so is a path that means something
  // else in each folder.
  const isTried = isOurs(found.value) && words.slice(0, 2).every(isAbsolute);
  const failure = isTried ? await failureOf(words) : undefined;
  if (failure)
    return fail("client", `${target.client} starts ${words.join(" ")}, which fails: ${failure}`, setup);
  return ok("client", `${target.client}: ${path}`);
}

function isThere(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    // Gone, or not for this user: the client could not start it either.
    return false;
  }
}

/** Whether the program starts, tried with nothing but its version. */
function failureOf([program = "", ...words]: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    const options = { timeout: RUN_MS, killSignal: "SIGKILL" as const };
    const child = execFile(program, [...words.slice(0, -1), "--version"], options, (error, _out, said) =>
      resolve(error ? said.trim().split("\n")[0] || error.message.split("\n")[0] : undefined),
    );
    child.stdin?.end();
  });
}
