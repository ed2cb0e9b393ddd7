import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type Checks, until } from "../checks.ts";
import { createWorld, freePorts, gone, type Home, type NodeProcess, type World } from "../world.ts";
import { doctor, fakeServer, line, shell, typed, UNPRIVILEGED, type Verdict } from "./ward.ts";

const CASE_MS = 120_000;
const SIDE_BY_SIDE = 2;
const SHORT_CASES = 8;
/** What the doctor may take at most. */
const LONGEST_MS = 20_000;
const OLDER_NODE = join(import.meta.dirname, "children", "older-node.ts");

/** A healthy pair, then set-ups that are broken one way each: the right line, and a fix that works when typed. */
export async function runDoctor(
  { check, figure }: Checks,
  { short }: { readonly short: boolean },
): Promise<void> {
  await check("doctor: a healthy pair is found healthy, quickly, and as it was left", healthyPair, CASE_MS);
  const longest = { ms: 0 };
  const cases = Object.entries(CASES).slice(0, short ? SHORT_CASES : undefined);
  const lane = async () => {
    for (let next = cases.shift(); next; next = cases.shift()) {
      const [name, act] = next;
      await check(`doctor: ${name}`, () => inWorld(act, longest), CASE_MS);
    }
  };
  // Each is mostly a wait for programs to start.
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, lane));
  figure("doctor.longest_ms", longest.ms, "ms");
}

async function inWorld(act: (ward: Ward) => Promise<void>, longest: { ms: number }): Promise<void> {
  await using world = createWorld();
  await act(
    await createWard(world, (ms) => {
      longest.ms = Math.max(longest.ms, ms);
    }),
  );
}

interface Ward {
  readonly world: World;
  readonly home: Home;
  /** Where the agent's state lies, once it has run. */
  state(): string;
  key(): string;
  /** Runs the node once, so that there is something to break. */
  ranOnce(): Promise<string>;
  look(home?: Home): Promise<Verdict>;
}

async function createWard(world: World, took: (ms: number) => void): Promise<Ward> {
  const [port = 0] = await freePorts(1);
  const home = world.home("ana", port, discovering(port));
  const states = join(home.home, "state");
  return {
    world,
    home,
    state: () => join(states, readdirSync(states)[0] ?? ""),
    key: () => key(home),
    async ranOnce() {
      const node = await world.up(home);
      await node.stop();
      return node.agentId;
    },
    async look(other = home) {
      const verdict = await doctor(world, other);
      took(verdict.ms);
      if (verdict.ms > LONGEST_MS) throw new Error(`it took ${verdict.ms} ms`);
      if (verdict.healthy !== (verdict.code === 0)) throw new Error(`it ended with ${verdict.code}`);
      return verdict;
    },
  };
}

/** Discovery on, but only at ports of our own. */
const discovering = (port: number) => ({
  DARKMATTER_DISCOVERY: "true",
  DARKMATTER_DISCOVERY_PORTS: String(port),
  DARKMATTER_PASSPHRASE: "correct horse battery",
});

async function healthyPair(): Promise<void> {
  await using world = createWorld();
  const { ana, bo, nodes } = await pair(world);
  for (const home of [ana, bo]) {
    const verdict = await doctor(world, home);
    const wrong = verdict.findings.filter(({ level }) => level !== "ok");
    if (wrong.length > 0 || verdict.code !== 0) throw new Error(JSON.stringify(wrong));
    line(verdict, "peer", "ok", /http \d+ ms/);
    line(verdict, "clock", "ok", /within \d s of 1 peer/);
    line(verdict, "owner", "ok", /runs the node, version/);
    line(verdict, "port", "ok", /the node answers at 127/);
    line(verdict, "ledger", "ok", /\d+ commits, the latest sound/);
  }
  for (const node of nodes) await node.stop();
  const before = contents(ana.home);
  const asleep = await doctor(world, ana);
  line(asleep, "owner", "ok", /no node runs/);
  line(asleep, "peer", "warn", /cannot be reached/);
  const after = contents(ana.home);
  if (before !== after) throw new Error(`the doctor changed something:\n${before}\n${after}`);
}

/** Two nodes that are connected. */
async function pair(world: World): Promise<{ ana: Home; bo: Home; nodes: [NodeProcess, NodeProcess] }> {
  const [first = 0, second = 0] = await freePorts(2);
  const ana = world.home("ana", first, discovering(first));
  const bo = world.home("bo", second, discovering(second));
  const nodes: [NodeProcess, NodeProcess] = [await world.up(ana), await world.up(bo)];
  const { code, stderr } = await world.command(ana, "connect", nodes[1].url);
  if (code !== 0) throw new Error(`not connected: ${stderr}`);
  await until("they are connected", async () => {
    const { json } = await world.command(ana, "peers");
    return JSON.stringify(json).includes(nodes[1].agentId);
  });
  return { ana, bo, nodes };
}

/** Every file's name, mode and content, but for what SQLite makes for every reader. */
function contents(folder: string): string {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();
  return names
    .filter((name) => statSync(join(folder, name)).isFile() && !/-(shm|wal)$/.test(name))
    .map((name) => {
      const path = join(folder, name);
      return `${name} ${statSync(path).mode} ${Buffer.from(readFileSync(path)).toString("base64").slice(0, 400)}`;
    })
    .join("\n");
}

const CASES: Readonly<Record<string, (ward: Ward) => Promise<void>>> = {
  async "a damaged key is moved away and restored from its backup"({ world, home, key, ranOnce, look }) {
    const agentId = await ranOnce();
    const backup = join(world.folder, "backup.json");
    await world.command(home, "passport", "backup", backup);
    writeFileSync(key(), "0123");
    const { fix = "" } = line(await look(), "key", "fail", /is damaged/);
    await typeFix(world, home, fix.replace("FILE", backup));
    line(await look(), "key", "ok", new RegExp(agentId));
  },

  async "a key that others can read is closed"({ world, home, key, ranOnce, look }) {
    await ranOnce();
    chmodSync(key(), 0o644);
    const { fix = "" } = line(await look(), "key", "fail", /can be read by others/);
    await typeFix(world, home, fix);
    line(await look(), "key", "ok", /passport\.key/);
  },

  async "no agent yet: it is made by the first start"({ world, home, look }) {
    const { fix = "" } = line(await look(), "key", "fail", /no agent here yet/);
    typed(world, home, fix);
    await until("the node runs", async () => (await look()).healthy, 60_000);
    line(await look(), "owner", "ok", /runs the node/);
  },

  async "a port that another program has"({ world, home, ranOnce, look }) {
    await ranOnce();
    await using _other = await fakeServer(home.port, { hello: "world" });
    const { fix = "" } = line(await look(), "port", "warn", /is taken by another program/);
    typed(world, home, fix);
    await until(
      "the node runs elsewhere",
      async () => isOk(await look(), "port", /the node answers/),
      60_000,
    );
  },

  async "an owner that is stopped is continued"({ world, home, look }) {
    const node = await world.up(home);
    process.kill(node.pid, "SIGSTOP");
    const { fix = "" } = line(await look(), "owner", "fail", new RegExp(`${node.pid}.*stopped`));
    await typeFix(world, home, fix);
    line(await look(), "owner", "ok", /runs the node/);
  },

  async "an owner of an older version hands over"({ world, home, look }) {
    const older = typed(world, home, `exec "${process.execPath}" "${OLDER_NODE}" up`);
    await until("the older node runs", async () => isLevel(await look(), "owner", "warn"), 60_000);
    const { fix = "" } = line(await look(), "owner", "warn", /version 0\.0\.1; this program is/);
    typed(world, home, fix);
    await gone(older.pid as number, 60_000);
    await until("the newer node runs", async () => isOk(await look(), "owner", /runs the node/), 60_000);
  },

  async "a card of a node that was killed is no trouble"({ world, home, look }) {
    const node = await world.up(home);
    await node.kill();
    const verdict = await look();
    line(verdict, "lock", "ok", new RegExp(`free; the last node was process ${node.pid}`));
    line(verdict, "owner", "ok", /no node runs/);
  },

  async "a damaged lock is removed"({ world, home, state, ranOnce, look }) {
    await ranOnce();
    writeFileSync(join(state(), "owner.lock"), "this is no lock ".repeat(100));
    const { fix = "" } = line(await look(), "lock", "fail", /is damaged/);
    await typeFix(world, home, fix);
    line(await look(), "owner", "ok", /no node runs/);
    await ranOnce();
  },

  async "a database of a newer version waits for the newer program"({ state, ranOnce, look }) {
    await ranOnce();
    newer(state(), "INSERT INTO store_migrations (name) VALUES ('mesh/999-future')");
    const { fix = "" } = line(await look(), "database", "fail", /newer version/);
    if (!/Start the newer program that wrote it \(it last ran as version \d/.test(fix)) throw new Error(fix);
    // What going over to the newer program amounts to for this one: it knows every step that was done.
    newer(state(), "DELETE FROM store_migrations WHERE name = 'mesh/999-future'");
    line(await look(), "database", "ok", /sound/);
  },

  async "a damaged database is put aside"({ world, home, state, ranOnce, look }) {
    await ranOnce();
    const path = join(state(), "darkmatter.db");
    const bytes = readFileSync(path);
    bytes.fill(0xa5, 100, Math.min(bytes.length, 40_000));
    writeFileSync(path, bytes);
    const { fix = "" } = line(await look(), "database", "fail", /damaged/);
    await typeFix(world, home, fix);
    line(await look(), "database", "ok", /none yet/);
    await ranOnce();
    line(await look(), "database", "ok", /sound/);
  },

  async "a peer that is down"({ world, look }) {
    const { ana, bo, nodes } = await pair(world);
    await nodes[1].stop();
    const { fix = "" } = line(await look(ana), "peer", "warn", /bo [0-9a-f]{12} cannot be reached/);
    if (!/darkmatter up/.test(fix)) throw new Error(fix);
    await world.up(bo);
    line(await look(ana), "peer", "ok", /bo .*http \d+ ms/);
  },

  async "another agent where a peer should be"({ world, look }) {
    const { ana, bo, nodes } = await pair(world);
    await nodes[1].stop();
    await using _other = await fakeServer(bo.port, { agent_id: "0".repeat(64) });
    line(await look(ana), "peer", "warn", /another agent answers there/);
  },

  async "a clock that is off"({ world, look }) {
    const { ana, bo, nodes } = await pair(world);
    await nodes[1].stop();
    let aheadMs = 400_000;
    await using _peer = await fakeServer(bo.port, { agent_id: nodes[1].agentId }, () => aheadMs);
    line(await look(ana), "clock", "fail", /400 s behind|399 s behind|401 s behind/);
    aheadMs = -100_000;
    line(await look(ana), "clock", "warn", /\d+ s ahead of 1 of 1/);
    aheadMs = 0;
    line(await look(ana), "clock", "ok", /within \d s/);
  },

  async "a client that does not know the agent, and one that starts what is gone"({
    world,
    home,
    ranOnce,
    look,
  }) {
    await ranOnce();
    const cursor = join(home.env.HOME ?? "", ".cursor");
    mkdirSync(cursor);
    const missing = line(await look(), "client", "warn", /cursor does not know this agent/);
    await typeFix(world, home, missing.fix ?? "");
    line(await look(), "client", "ok", /cursor/);
    const file = join(cursor, "mcp.json");
    writeFileSync(file, readFileSync(file, "utf8").replace(/[^"]*darkmatter\.js/, "/gone/bin/darkmatter.js"));
    const dead = line(
      await look(),
      "client",
      "fail",
      /starts \/gone\/bin\/darkmatter\.js, which is not there/,
    );
    await typeFix(world, home, dead.fix ?? "");
    line(await look(), "client", "ok", /cursor/);
    const broken = join(world.folder, "darkmatter.js");
    writeFileSync(broken, "throw new Error('broken')");
    writeFileSync(file, readFileSync(file, "utf8").replace(/"[^"]*darkmatter\.js"/, JSON.stringify(broken)));
    const failing = line(await look(), "client", "fail", /which fails/);
    await typeFix(world, home, failing.fix ?? "");
    line(await look(), "client", "ok", /cursor/);
  },

  async "a home that takes no writes is opened"({ world, home, ranOnce }) {
    await ranOnce();
    chmodSync(world.folder, 0o711);
    own(join(world.folder, home.name));
    chmodSync(home.home, 0o500);
    const { fix = "" } = line(await doctor(world, home, UNPRIVILEGED), "home", "fail", /cannot be written/);
    const { code, err } = await shell(world, home, fix, UNPRIVILEGED);
    if (code !== 0) throw new Error(err);
    line(await doctor(world, home, UNPRIVILEGED), "home", "ok", /MB free/);
  },

  async "a home that is a file"({ world, home, look }) {
    const elsewhere = { ...home, env: { ...home.env, DARKMATTER_HOME: join(world.folder, "file") } };
    writeFileSync(elsewhere.env.DARKMATTER_HOME, "");
    const { fix = "" } = line(await look(elsewhere), "home", "fail", /is a file where a folder belongs/);
    await typeFix(world, elsewhere, fix);
    line(await look(elsewhere), "home", "ok", /MB free/);
  },

  async "discovery that is off"({ world, home, look }) {
    const quiet = { ...home, env: { ...home.env, DARKMATTER_DISCOVERY: "false" } };
    const node = await world.up(quiet);
    const { fix = "" } = line(await look(), "discovery", "warn", /^off/);
    await node.stop();
    const command = /^unset DARKMATTER_DISCOVERY/.exec(fix)?.[0] ?? "";
    const { out } = await shell(world, quiet, `${command}; echo "[$DARKMATTER_DISCOVERY]"`);
    if (out.trim() !== "[]") throw new Error(out);
    await world.up(home);
    line(await look(), "discovery", "ok", /on this machine only/);
  },

  async "an anchor that is down"({ world, look }) {
    const [port = 0, anchorPort = 0] = await freePorts(2);
    const url = `http://127.0.0.1:${anchorPort}`;
    const home = world.home("anchored", port, { ...discovering(port), DARKMATTER_ANCHOR_NODES: url });
    await world.up(home);
    const { fix = "" } = line(await look(home), "anchor", "warn", /does not answer/);
    if (!fix.includes("DARKMATTER_ANCHOR_NODES")) throw new Error(fix);
    await using _anchor = await fakeServer(anchorPort, { darkmatter: true, anchor: true });
    line(await look(home), "anchor", "ok", /answers \(\d+ ms\)/);
  },

  async "a service is installed for log-in, found to be one, and removed"({ world, home, ranOnce }) {
    const agentId = await ranOnce();
    const at = join(home.env.HOME ?? "", ".config", "systemd", "user");
    const dry = await world.command(home, "service", "install", "--dry-run");
    if (process.platform !== "linux") return;
    if (dry.code !== 0 || existsSync(at)) throw new Error(`a dry run wrote something: ${dry.stderr}`);
    const { json } = await world.command(home, "service", "install");
    const name = `darkmatter-${agentId.slice(0, 12)}.service`;
    const unit = readFileSync(join(at, "default.target.wants", name), "utf8");
    if (unit !== json.text || !unit.includes(`DARKMATTER_PASSPORT=${key(home)}"`)) throw new Error(unit);
    if ((await world.command(home, "service", "install")).json.change !== "same")
      throw new Error("written twice");
    await world.command(home, "service", "remove");
    if (readdirSync(at, { recursive: true, encoding: "utf8" }).includes(name))
      throw new Error("it is still there");
  },

  async "a setting that cannot be"({ world, home, ranOnce, look }) {
    await ranOnce();
    const wrong = { ...home, env: { ...home.env, DARKMATTER_INBOX_MAX: "many" } };
    const { fix = "" } = line(
      await look(wrong),
      "settings",
      "fail",
      /DARKMATTER_INBOX_MAX must be a whole number/,
    );
    const { out } = await shell(world, wrong, `${fix}; echo "[$DARKMATTER_INBOX_MAX]"`);
    if (out.trim() !== "[]") throw new Error(out);
  },
};

const key = (home: Home) => join(home.project, ".darkmatter", "passport.key");

const isOk = (verdict: Verdict, check: string, words: RegExp) =>
  verdict.findings.some((one) => one.check === check && one.level === "ok" && words.test(one.what));
const isLevel = (verdict: Verdict, check: string, level: string) =>
  verdict.findings.some((one) => one.check === check && one.level === level);

async function typeFix(world: World, home: Home, fix: string): Promise<void> {
  const { code, out, err } = await shell(world, home, fix);
  if (code !== 0) throw new Error(`the fix failed: ${fix}\n${out}${err}`);
}

function newer(state: string, sql: string): void {
  const db = new DatabaseSync(join(state, "darkmatter.db"));
  db.exec(sql);
  db.close();
}

/** Gives a folder to whoever the unprivileged processes run as. */
function own(folder: string): void {
  const { uid, gid } = UNPRIVILEGED as { uid?: number; gid?: number };
  if (uid === undefined || gid === undefined) return;
  chownSync(folder, uid, gid);
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" }))
    chownSync(join(folder, name), uid, gid);
}
