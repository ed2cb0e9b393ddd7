import { accessSync, constants, existsSync, lstatSync, readdirSync, statfsSync } from "node:fs";
import { dirname } from "node:path";
import { reasonOf } from "@darkmatter/core";
import { shellQuoted } from "../../setup/skill.ts";
import { type Finding, fail, ok, warn } from "../finding.ts";

/** Below this there is no room for the database's own bookkeeping. */
const SPACE_FAIL_BYTES = 20 * 1024 * 1024;
const SPACE_WARN_BYTES = 500 * 1024 * 1024;

/** Whether the state can be written where it lies, and whether the disk has room. */
export function checkHome(home: string): Finding[] {
  let present = home;
  while (!existsSync(present) && dirname(present) !== present) present = dirname(present);
  const stat = lstatSync(home, { throwIfNoEntry: false });
  if (stat && !stat.isDirectory() && !stat.isSymbolicLink())
    return [
      fail(
        "home",
        `${home} is a file where a folder belongs`,
        `mv ${shellQuoted(home)} ${shellQuoted(`${home}.old`)}`,
      ),
    ];
  const locked = [present, ...foldersIn(present === home ? home : undefined)].find(
    (folder) => !isWritable(folder),
  );
  if (locked) {
    const fix = isOwn(locked)
      ? `chmod u+rwx ${shellQuoted(locked)}`
      : `sudo chown -R "$(id -u)" ${shellQuoted(locked)}`;
    return [fail("home", `${locked} cannot be written`, fix)];
  }
  return [spaceFinding(home, present)];
}

function spaceFinding(home: string, present: string): Finding {
  const { bavail, bsize } = statfsSync(present);
  const free = bavail * bsize;
  const what = `${home}, ${Math.round(free / 1024 / 1024)} MB free`;
  const fix = `Free some space on the disk of ${home}: df -h ${shellQuoted(present)}`;
  if (free < SPACE_FAIL_BYTES) return fail("home", what, fix);
  return free < SPACE_WARN_BYTES ? warn("home", what, fix) : ok("home", what);
}

/** The folders of the agents' states. */
function foldersIn(home: string | undefined): string[] {
  if (home === undefined) return [];
  try {
    const states = readdirSync(home, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return states.filter(({ name }) => name === "state").map(({ name }) => `${home}/${name}`);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EACCES" ? [home] : [];
  }
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code) return false;
    throw new Error(reasonOf(error));
  }
}

function isOwn(folder: string): boolean {
  return process.getuid === undefined || lstatSync(folder).uid === process.getuid();
}
