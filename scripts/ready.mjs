// Installs what is missing, then runs a script under the Node that the lock file pins:
//   node scripts/ready.mjs <script> [arguments]
// Plain JavaScript for Node 18 and newer: this is the first thing a fresh clone runs. Everything it says
// goes to stderr; stdout belongs to the script.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { noNodeHere, pinnedNode, root, usableNode } from "./pinned-node.mjs";
import { runUnder } from "./run-under.mjs";

/** The first npm that reads our lock file's format. */
const NPM_MAJOR_MIN = 7;
const PROGRESS_MS = 5000;
const KEPT_OUTPUT_CHARS = 4000;

const lockFile = join(root, "package-lock.json");
const stampFile = join(root, "node_modules", ".darkmatter-ready");

const CAUSES = [
  {
    pattern: /ENOTCACHED|EAI_AGAIN|ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EIDLETIMEOUT|network/i,
    advice:
      "npm could not reach its registry. Check the network, a proxy (npm config get proxy) and that npm is not set to offline (npm config get offline), then run the same command again.",
  },
  { pattern: /ENOSPC/, advice: "The disk is full. About 500 MB are needed." },
  {
    pattern: /EACCES|EPERM|EROFS|EBUSY/,
    advice: `npm may not write to ${join(root, "node_modules")}. Check who owns the folder, and stop whatever is running from it.`,
  },
  {
    pattern: /EUSAGE|package-lock\.json/,
    advice: "package.json and package-lock.json do not belong together. Undo local changes to them: git checkout package.json package-lock.json",
  },
  { pattern: /EINTEGRITY/, advice: "A download was damaged. Run: npm cache verify, then the same command again." },
];

function fail(message, code = 1) {
  console.error(`\n${message}`);
  process.exit(code);
}

/** Whether npm's own record of what lies in node_modules agrees with the lock file. */
function installedAsLocked() {
  try {
    const wanted = JSON.parse(readFileSync(lockFile, "utf8")).packages;
    const found = JSON.parse(readFileSync(join(root, "node_modules", ".package-lock.json"), "utf8")).packages;
    const differs = ([path, entry]) => {
      if (!path.includes("node_modules/")) return false;
      if (found[path] === undefined) return !entry.optional;
      return found[path].version !== entry.version;
    };
    return pinnedNode() !== undefined && !Object.entries(wanted).some(differs);
  } catch {
    return false; // no such record, or one that cannot be read: nothing is known to be there
  }
}

/** npm as a command: the one that started us, else the one on the path. */
function findNpm() {
  const cli = process.env.npm_execpath;
  if (cli && /npm-cli\.[cm]?js$/.test(cli)) return { command: process.env.npm_node_execpath ?? process.execPath, first: [cli] };
  return { command: "npm", first: [], shell: process.platform === "win32" };
}

function checkNpm({ command, first, shell }) {
  const { stdout, error } = spawnSync(command, [...first, "--version"], { cwd: root, encoding: "utf8", shell });
  if (error) fail("npm was not found. It comes with Node: install Node from https://nodejs.org and run `npm start`.");
  if (Number.parseInt(stdout, 10) < NPM_MAJOR_MIN) {
    fail(`npm ${stdout.trim()} cannot read this lock file. Install a newer Node from https://nodejs.org, or run: npm install -g npm`);
  }
}

async function install() {
  const npm = findNpm();
  checkNpm(npm);
  rmSync(stampFile, { force: true });
  console.error("Installing what DarkMatter needs, once; this takes about a minute.");
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
  const started = Date.now();
  const seconds = () => Math.round((Date.now() - started) / 1000);
  const progress = setInterval(() => console.error(`  still installing, ${seconds()} s`), PROGRESS_MS);
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => {
      child.kill(signal);
      fail("Stopped before everything was installed. Run the same command again to finish.", 130);
    });
  }
  const code = await new Promise((done) => child.on("exit", done).on("error", () => done(1)));
  clearInterval(progress);
  process.removeAllListeners("SIGINT").removeAllListeners("SIGTERM");
  if (code !== 0) {
    const cause = CAUSES.find(({ pattern }) => pattern.test(output));
    fail(`${output.trim()}\n\nInstalling failed. ${cause?.advice ?? "What npm said is above."}`);
  }
  console.error(`Installed in ${seconds()} s.`);
}

const [script, ...rest] = process.argv.slice(2);
if (script === undefined) fail("usage: node scripts/ready.mjs <script> [arguments]", 2);

const lockHash = createHash("sha256").update(readFileSync(lockFile)).digest("hex");
const stamp = `${lockHash} ${process.platform}-${process.arch}\n`;
if (!existsSync(stampFile) || readFileSync(stampFile, "utf8") !== stamp) {
  if (!installedAsLocked()) await install();
  writeFileSync(stampFile, stamp);
}

const path = resolve(root, script);
if (!existsSync(path)) fail(`There is no ${script} in this version of DarkMatter.`);
const node = usableNode();
if (node === undefined) fail(noNodeHere);
if (node !== pinnedNode()) console.error(`No pinned Node runs here; using ${node} (${process.version}).`);
runUnder(node, [path, ...rest]);
