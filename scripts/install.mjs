// Plain JavaScript for Node 18 and newer: it runs before the pinned Node is there.
import { spawn, spawnSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { root } from "./pinned-node.mjs";

/** The first npm that reads our lock file's format. */
const NPM_MAJOR_MIN = 7;
const PROGRESS_MS = 5000;
const KEPT_OUTPUT_CHARS = 4000;
/** How long npm may take to clean up after Ctrl-C. */
const STOP_MS = 5000;
const POLL_MS = 500;

/** Holds the id of the process that installs: two at once leave half of everything. */
const turnFile = join(root, ".installing");

const CAUSES = [
  {
    pattern: /ENOSPC/,
    advice: "The disk is full. About 500 MB are needed.",
  },
  {
    pattern: /EACCES|EPERM|EROFS|EBUSY/,
    advice: `npm may not write to ${join(root, "node_modules")}. Check who owns the folder, and stop whatever runs from it.`,
  },
  {
    pattern: /EINTEGRITY/,
    advice: "A download was damaged. Run `npm cache verify`, then the same command again.",
  },
  {
    pattern: /ENOTCACHED|EAI_AGAIN|ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EIDLETIMEOUT/,
    advice:
      "npm could not reach its registry. Check the network, the proxy (npm config get proxy) and that npm is not set to offline (npm config get offline), then run the same command again.",
  },
  {
    pattern: /EUSAGE/,
    advice:
      "package.json and package-lock.json do not belong together. Undo local changes: git checkout package.json package-lock.json",
  },
];

export function fail(message, code = 1) {
  console.error(`\n${message}`);
  process.exit(code);
}

/** npm as a command: the one that started us, else the one on the path. */
function findNpm() {
  const cli = process.env.npm_execpath ?? "";
  if (/npm-cli\.[cm]?js$/.test(cli)) {
    return { command: process.env.npm_node_execpath ?? process.execPath, first: [cli] };
  }
  return { command: "npm", first: [], shell: process.platform === "win32" };
}

function checkNpm({ command, first, shell }) {
  const { stdout, error } = spawnSync(command, [...first, "--version"], {
    cwd: root,
    encoding: "utf8",
    shell,
  });
  if (error || !stdout) {
    fail("npm was not found. It comes with Node: install Node from https://nodejs.org and run `npm start`.");
  }
  if (Number.parseInt(stdout, 10) < NPM_MAJOR_MIN) {
    fail(`npm ${stdout.trim()} cannot read our lock file. Install a newer Node from https://nodejs.org.`);
  }
}

function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** Waits until no other process installs here; false if one did meanwhile. */
async function takeTurn() {
  for (let waited = false; ; waited = true) {
    try {
      writeFileSync(turnFile, String(process.pid), { flag: "wx" });
      process.on("exit", () => rmSync(turnFile, { force: true }));
      return !waited;
    } catch (error) {
      if (error.code !== "EEXIST") fail(`DarkMatter cannot write to ${root}: ${error.message}`);
    }
    const owner = Number(readFileSync(turnFile, { encoding: "utf8", flag: "a+" }));
    if (!isRunning(owner)) rmSync(turnFile, { force: true });
    else if (!waited) console.error(`Another command (process ${owner}) is installing; waiting for it.`);
    await sleep(POLL_MS);
  }
}

/** Resolves with what npm said when it failed, undefined when it did not. Ctrl-C ends npm first, then us. */
async function runNpm(npm) {
  const args = ["ci", "--include=dev", "--include=optional", "--ignore-scripts", "--loglevel=error"];
  const child = spawn(npm.command, [...npm.first, ...args], {
    cwd: root,
    shell: npm.shell,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let output = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    output = (output + text).slice(-KEPT_OUTPUT_CHARS);
  });
  let stopped = false;
  const stop = () => {
    stopped = true;
    child.kill("SIGTERM");
    setTimeout(() => child.kill("SIGKILL"), STOP_MS).unref();
  };
  process.on("SIGINT", stop).on("SIGTERM", stop).on("SIGHUP", stop);
  const code = await new Promise((done) => child.on("exit", done).on("error", () => done(1)));
  process.off("SIGINT", stop).off("SIGTERM", stop).off("SIGHUP", stop);
  if (stopped) fail("Stopped before everything was installed. Run the same command again to finish.", 130);
  return code === 0 ? undefined : output.trim();
}

/** Fills node_modules from the lock file; ends the process with advice if that cannot be done. */
export async function install(isInstalled) {
  const npm = findNpm();
  checkNpm(npm);
  if (!(await takeTurn()) && isInstalled()) return;
  console.error("Installing what DarkMatter needs, once; this takes about a minute.");
  const started = Date.now();
  const seconds = () => Math.round((Date.now() - started) / 1000);
  const progress = setInterval(() => console.error(`  still installing, ${seconds()} s`), PROGRESS_MS);
  const refusal = await runNpm(npm);
  clearInterval(progress);
  if (refusal !== undefined) {
    const cause = CAUSES.find(({ pattern }) => pattern.test(refusal));
    fail(`${refusal}\n\nInstalling failed. ${cause?.advice ?? "What npm said is above."}`);
  }
  console.error(`Installed in ${seconds()} s.`);
}
