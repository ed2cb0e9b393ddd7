// Installs what is missing, then runs a script under the Node that the lock file pins:
//   node scripts/ready.mjs <script> [arguments]
// Plain JavaScript for Node 18 and newer: this is the first thing a fresh clone runs. Everything it says
// goes to stderr; stdout belongs to the script.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fail, install } from "./install.mjs";
import { canRunHere, noNodeHere, pinnedNode, root, usableNode } from "./pinned-node.mjs";
import { runUnder } from "./run-under.mjs";

const lockFile = join(root, "package-lock.json");
const npmRecord = join(root, "node_modules", ".package-lock.json");
const stampFile = join(root, "node_modules", ".darkmatter-ready");

function currentStamp() {
  const hash = createHash("sha256").update(readFileSync(lockFile)).digest("hex");
  return `${hash} ${process.platform}-${process.arch}\n`;
}

/** Whether npm's own record of what lies in node_modules agrees with the lock file. */
function isInstalled() {
  if (!existsSync(npmRecord) || usableNode() === undefined) return false;
  const wanted = JSON.parse(readFileSync(lockFile, "utf8")).packages;
  const found = JSON.parse(readFileSync(npmRecord, "utf8")).packages;
  return Object.entries(wanted).every(([path, entry]) => {
    if (!path.includes("node_modules/")) return true;
    if (found[path] === undefined) return entry.optional === true;
    return found[path].version === entry.version;
  });
}

const [script, ...rest] = process.argv.slice(2);
if (script === undefined) fail("usage: node scripts/ready.mjs <script> [arguments]", 2);
const path = resolve(root, script);
if (!existsSync(path)) fail(`There is no ${script} in this version of DarkMatter.`);
if (!canRunHere()) fail(noNodeHere);

const stamp = currentStamp();
const isStamped = existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp;
if (!isStamped || usableNode() === undefined) {
  if (!isInstalled()) await install(isInstalled);
  if (isInstalled()) writeFileSync(stampFile, stamp);
}

const node = usableNode();
if (node === undefined) fail(noNodeHere);
if (node !== pinnedNode()) console.error(`No pinned Node runs here; using ${node} (${process.version}).`);
runUnder(node, [path, ...rest]);
