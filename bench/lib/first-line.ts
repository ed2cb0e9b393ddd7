import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";

/** The first line a child prints, as JSON. */
export function firstLine<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    if (!child.stdout) throw new Error("The child has no stdout.");
    createInterface({ input: child.stdout }).once("line", (line) => resolve(JSON.parse(line) as T));
    child.once("exit", (code) => reject(new Error(`The child ended at its start, exit code ${code}.`)));
  });
}
