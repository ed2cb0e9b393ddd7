import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { tempFolder } from "./temp-folder.ts";

const INSTALLED = "/usr/lib/postgresql";
/** PostgreSQL refuses to run as root; this user owns nothing else. */
const NOBODY = 65_534;
const START_MS = 20_000;

/** A PostgreSQL server of its own, in a folder of its own, heard on a socket in that folder alone. */
export interface PrivatePostgres extends AsyncDisposable {
  /** For `openPostgres`. */
  readonly url: string;
  /** Cuts all connections and stops the server; what was committed stays. */
  stop(): Promise<void>;
  /** Starts it again. */
  start(): Promise<void>;
}

/** Starts Debian's newest PostgreSQL; answers why not where that cannot be. */
export async function startPrivatePostgres(): Promise<PrivatePostgres | { readonly missing: string }> {
  const programs = newestPrograms();
  if (!programs) return { missing: "PostgreSQL is not installed (Debian: postgresql)" };
  const folder = tempFolder();
  const user = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  const data = join(folder.path, "data");
  mkdirSync(data, { mode: 0o700 });
  if (user.uid !== undefined) for (const path of [folder.path, data]) chownSync(path, user.uid, user.gid);
  chmodSync(folder.path, 0o700);
  const made = spawnSync(
    join(programs, "initdb"),
    ["-D", data, "-U", "tester", "-A", "trust", "-E", "UTF8", "-N"],
    {
      ...user,
      cwd: folder.path,
      encoding: "utf8",
    },
  );
  if (made.status !== 0) {
    folder[Symbol.dispose]();
    return { missing: `initdb failed: ${made.stderr.trim().split("\n").at(-1)}` };
  }
  const url = `postgresql://tester@localhost/postgres?host=${encodeURIComponent(folder.path)}`;
  const start = async () => {
    const options = { ...user, cwd: folder.path, stdio: "ignore" } as const;
    const server = spawn(join(programs, "postgres"), settings(data, folder.path), options);
    await untilReady(url, server);
    return server;
  };
  let server = await start();
  return {
    url,
    stop: () => stop(server),
    async start() {
      server = await start();
    },
    async [Symbol.asyncDispose]() {
      await stop(server);
      folder[Symbol.dispose]();
    },
  };
}

/** Races are what is tested here, not the disk: without fsync the server keeps up with the tests. */
function settings(data: string, socketFolder: string): string[] {
  const options = [
    "listen_addresses=",
    `unix_socket_directories=${socketFolder}`,
    "fsync=off",
    "max_connections=60",
  ];
  return ["-D", data, ...options.flatMap((option) => ["-c", option])];
}

function newestPrograms(): string | undefined {
  if (!existsSync(INSTALLED)) return undefined;
  const versions = readdirSync(INSTALLED).sort((a, b) => Number(b) - Number(a));
  const [newest] = versions.filter((version) =>
    readdirSync(join(INSTALLED, version, "bin")).includes("initdb"),
  );
  return newest === undefined ? undefined : join(INSTALLED, newest, "bin");
}

async function untilReady(url: string, server: ChildProcess): Promise<void> {
  const until = performance.now() + START_MS;
  for (;;) {
    const client = new pg.Client({ connectionString: url });
    try {
      await client.connect();
      await client.end();
      return;
    } catch (error) {
      if (server.exitCode !== null || performance.now() > until) throw error;
      await sleep(50);
    }
  }
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null) return;
  const ended = once(server, "exit");
  // SIGINT is the server's fast shutdown: it cuts connections and leaves the files whole.
  server.kill("SIGINT");
  await ended;
}
