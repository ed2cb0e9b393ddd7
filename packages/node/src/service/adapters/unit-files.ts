import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";

/** A file of a service, and the link that has it started at log-in; launchd needs none. */
export interface UnitPlace {
  readonly path: string;
  readonly link?: string;
}

export type UnitChange = "written" | "same" | "removed" | "absent";

/** systemd's for this user. */
export function systemdPlace(
  user: string,
  env: Readonly<Record<string, string | undefined>>,
  name: string,
): UnitPlace {
  const folder = join(env.XDG_CONFIG_HOME || join(user, ".config"), "systemd", "user");
  return { path: join(folder, name), link: join(folder, "default.target.wants", name) };
}

/** launchd's for this user. */
export function launchdPlace(user: string, label: string): UnitPlace {
  return { path: join(user, "Library", "LaunchAgents", `${label}.plist`) };
}

/** Why a file may not be written: somebody made it another thing. */
export function standsInTheWay({ path }: UnitPlace): string | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined || found.isFile()) return undefined;
  return found.isSymbolicLink() ? `a link to ${readlinkSync(path)} (a masked unit is one)` : "no file";
}

export function isInstalled({ path, link }: UnitPlace, text: string): boolean {
  const isLinked = link === undefined || lstatSync(link, { throwIfNoEntry: false }) !== undefined;
  return isLinked && existsSync(path) && readFileSync(path, "utf8") === text;
}

export function installUnit(place: UnitPlace, text: string): UnitChange {
  if (isInstalled(place, text)) return "same";
  const { path, link } = place;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.tmp`, text, { mode: 0o600 });
  renameSync(`${path}.tmp`, path);
  if (link) {
    mkdirSync(dirname(link), { recursive: true });
    rmSync(link, { force: true });
    symlinkSync(relative(dirname(link), path), link);
  }
  return "written";
}

export function removeUnit({ path, link }: UnitPlace): UnitChange {
  const was =
    existsSync(path) || (link !== undefined && lstatSync(link, { throwIfNoEntry: false }) !== undefined);
  if (link) rmSync(link, { force: true });
  rmSync(path, { force: true });
  return was ? "removed" : "absent";
}
