import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { modeOf, startProgram, type TestHome, testHome } from "./testing/program.ts";

const SLOW = { timeout: 20_000 };

/** What `up --json` says, and its exit code. */
async function up(home: TestHome, env: Record<string, string> = {}) {
  await using program = startProgram(home, ["up", "--json"], env);
  const code = await program.exited;
  return { code, said: JSON.parse(program.stdoutText()) };
}

/** Has a node run once, so that its state exists. */
async function stateOf(home: TestHome): Promise<void> {
  await using program = await startProgram(home).open();
  await program.call("note", { text: "kept" });
  program.child.stdin.end();
  await program.exited;
}

test("a damaged lock is named, with what to do, and left as it is", SLOW, async () => {
  using home = testHome();
  mkdirSync(home.places.folder, { recursive: true });
  writeFileSync(home.places.lock, "no lock of ours");
  const { code, said } = await up(home);
  expect(code).toBe(1);
  expect(said.error).toContain(`${home.places.lock} is damaged`);
  expect(said.hint).toContain("delete that one file");
  expect(readFileSync(home.places.lock, "utf8")).toBe("no lock of ours");
});

test("a damaged database is refused and left as it is, and an MCP client hears why", SLOW, async () => {
  using home = testHome();
  await stateOf(home);
  const damaged = Buffer.alloc(8192, "x");
  writeFileSync(home.places.database, damaged);
  expect(await up(home)).toMatchObject({ code: 1, said: { error: "The database is damaged." } });

  await using session = startProgram(home);
  const refused = await session.request("initialize", {});
  expect(refused.error.message).toContain("The database is damaged.");
  expect(await session.exited).toBe(1);
  expect(session.stderr()).toContain("Put a copy from a backup in its place");
  expect(readFileSync(home.places.database).equals(damaged)).toBe(true);
});

test("a database of a newer version is refused, and its lock given back", SLOW, async () => {
  using home = testHome();
  await stateOf(home);
  using db = new DatabaseSync(home.places.database);
  db.exec("INSERT INTO store_migrations (name) VALUES ('future/001')");
  for (let time = 0; time < 2; time++) {
    const { code, said } = await up(home);
    expect(code).toBe(1);
    expect(said.error).toContain("newer version");
  }
});

test("a damaged passport is never replaced", SLOW, async () => {
  using home = testHome();
  writeFileSync(home.passport, "not a key\n");
  const { code, said } = await up(home);
  expect(code).toBe(1);
  expect(said.error).toContain(`${home.passport} is damaged`);
  await using session = startProgram(home);
  expect((await session.request("initialize", {})).error.message).toContain("is damaged");
  expect(readFileSync(home.passport, "utf8")).toBe("not a key\n");
});

test("a passport that is gone while its state exists is not made anew", SLOW, async () => {
  using home = testHome();
  await stateOf(home);
  rmSync(home.passport);
  const { code, said } = await up(home);
  expect(code).toBe(1);
  expect(said.error).toContain(`${home.passport} is gone`);
  expect(said.error).toContain(home.agentId);
});

test("where there is no passport one is made, for this user alone", SLOW, async () => {
  using home = testHome();
  rmSync(home.passport);
  await using session = await startProgram(home).open();
  const { agent_id } = await session.call("notes");
  expect(agent_id).toMatch(/^[0-9a-f]{64}$/);
  expect(readFileSync(home.passport, "utf8")).toMatch(/^[0-9a-f]{64}\n$/);
});

test("a home that cannot be written is named", SLOW, async () => {
  using home = testHome();
  // A file where a folder is needed: refused to root as well.
  writeFileSync(home.home, "");
  const { code, said } = await up(home);
  expect(code).toBe(1);
  expect(said.error).toContain(`${home.home} cannot be made`);
  expect(said.hint).toContain("--home");
  await using session = startProgram(home);
  expect((await session.request("initialize", {})).error.message).toContain(home.places.lock);
});

test("a setting that cannot be is a mistake of usage that says what is allowed", SLOW, async () => {
  using home = testHome();
  const { code, said } = await up(home, { DARKMATTER_PORT: "http" });
  expect(code).toBe(2);
  expect(said.error).toContain("DARKMATTER_PORT must be a whole number");
});

test("a node that may choose its port comes back to the one its peers know", SLOW, async () => {
  using home = testHome();
  const urls: string[] = [];
  for (let time = 0; time < 2; time++) {
    await using program = startProgram(home, ["up", "--json"]);
    urls.push((await program.firstLine()).url);
    program.child.kill("SIGKILL");
    await program.exited;
  }
  expect(urls[1]).toBe(urls[0]);
});

test("a second up stands by and takes over", SLOW, async () => {
  using home = testHome();
  await using first = startProgram(home, ["up", "--json"], { DARKMATTER_LEDGER_URL: "https://ledger.test" });
  const owner = await first.firstLine();
  // What is set and comes to nothing is said where it was typed.
  expect(owner.warnings).toEqual([expect.stringContaining("nothing is mirrored")]);
  await using second = startProgram(home, ["up", "--json"]);
  first.child.kill("SIGKILL");
  const successor = await second.firstLine();
  expect(successor).toMatchObject({ agent_id: owner.agent_id, url: owner.url, pid: second.pid });
});

test("state, socket, lock and passport are for this user alone", SLOW, async () => {
  using home = testHome();
  await using session = await startProgram(home).open();
  expect(modeOf(home.places.folder)).toBe(0o700);
  for (const path of [
    home.places.lock,
    home.places.database,
    home.socket,
    home.places.ownerCard,
    home.places.log,
  ]) {
    expect([path, modeOf(path)]).toEqual([path, 0o600]);
  }
  expect(session.pid).toBeGreaterThan(0);
});

test(
  "a path too long for a socket is given a shorter one, which nobody else may have prepared",
  SLOW,
  async () => {
    using plain = testHome();
    using long = testHome(`home/${"deep/".repeat(20)}`);
    expect(long.socket.startsWith(long.places.folder)).toBe(false);
    expect(plain.socket.startsWith(plain.places.folder)).toBe(true);
    await using owner = await startProgram(long).open();
    await using second = await startProgram(long).open();
    expect(await second.call("notes")).toMatchObject({ pid: owner.pid });

    chmodSync(dirname(long.socket), 0o755);
    try {
      await using third = startProgram(long);
      expect((await third.request("initialize", {})).error.message).toContain("is not safe");
    } finally {
      chmodSync(dirname(long.socket), 0o700);
    }
  },
);
