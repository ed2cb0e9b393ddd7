import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { readOwnerCard } from "./adapters/owner-card.ts";
import { command, real, typed } from "./testing/commands.ts";
import { modeOf, type TestHome, testHome } from "./testing/program.ts";

const SLOW = { timeout: 90_000 };
const WORDS = "What does the parser return for an empty file?";
const ANSWER = "An empty list, never null.";

/** Of a database's file. */
const PAGE_BYTES = 4096;

type Said = Awaited<ReturnType<typeof command>>["said"];

const acts = ({ commits }: Said): string[] => commits.map(({ act }: { act: string }) => act);

/** Ana asks Bo and Bo answers; the sessions of both, which are their nodes, stand until the caller is done. */
async function conversation(ana: TestHome, bo: TestHome) {
  const [a, b] = await Promise.all([real(ana, ["mcp"]).open(), real(bo, ["mcp"]).open()]);
  await b.call("darkmatter_get_identity");
  const port = readOwnerCard(bo.places.ownerCard)?.port;
  await a.call("darkmatter_connection", { action: "request", target_url: `http://127.0.0.1:${port}` });
  const sent = await a.call("darkmatter_send_message", { content: WORDS, target_agent_id: bo.agentId });
  await b.call("darkmatter_get_message", { message_id: sent.message_id });
  await b.call("darkmatter_respond_message", { message_id: sent.message_id, response: ANSWER });
  return {
    message: sent.message_id as string,
    bo: b,
    async stop() {
      for (const session of [a, b]) session.child.stdin.end();
      await Promise.all([a.exited, b.exited]);
    },
    async [Symbol.asyncDispose]() {
      for (const session of [a, b]) await session[Symbol.asyncDispose]();
    },
  };
}

test(
  "a newcomer's walk: what was said is listed, replayed, exported, checked and disclosed",
  SLOW,
  async () => {
    using ana = testHome();
    using bo = testHome();
    await using talk = await conversation(ana, bo);
    const { message } = talk;

    const recent = await command(bo, "recent");
    expect(acts(recent.said)).toEqual(
      expect.arrayContaining(["message.answered", "message.received", "connection.opened"]),
    );
    expect(recent.said.commits.every(({ valid }: Said) => valid)).toBe(true);
    const listed = await typed(bo, "recent", "--limit", "2");
    expect(listed.out).toMatch(/^ {2}1 {2}✓ +\d+ s {2}ctx_\d+_[0-9a-f]{12} {2}/);
    expect(listed.out.split("\n").filter((line) => line.includes("ctx_"))).toHaveLength(2);

    const replayed = await command(bo, "replay", message, "--full");
    expect(replayed.said.steps[0]).toMatchObject({
      step: 1,
      act: "message.received",
      peer: ana.agentId,
      fields: expect.arrayContaining([{ name: "content", value: WORDS }]),
    });
    const lineage = await command(bo, "lineage", "1");
    expect(lineage.said.commits.at(-1)).toMatchObject({ act: "message.received", valid: true });

    const files = { ana: join(ana.temporary, "ana.json"), bo: join(bo.temporary, "b o.json") };
    const exported = await command(ana, "export", message, "-o", files.ana, "--disclose", "content,response");
    expect(exported).toMatchObject({
      code: 0,
      said: { file: files.ana, witnesses: 1, disclosed: { content: 1, response: 1, signed: 1 } },
    });
    expect(modeOf(files.ana)).toBe(0o600);
    expect(await command(ana, "export", message, "-o", files.ana)).toMatchObject({
      code: 1,
      said: { error: expect.stringContaining("exists already"), hint: expect.stringContaining("--force") },
    });
    expect((await command(bo, "export", message, "-o", files.bo, "--bare")).said.disclosed).toEqual({});
    expect(readFileSync(files.bo, "utf8")).not.toContain(WORDS);

    const verified = await command(bo, "verify", files.ana);
    expect(verified).toMatchObject({ code: 0, said: { verified: true } });
    const shown = await typed(bo, "verify", files.ana);
    expect(shown.out).toMatch(/PASS {2}witnesses +1/);
    expect(shown.out).toContain("that a clock was right");

    expect((await typed(ana, "disclose", message, "--list")).out).toMatch(/content: held/);
    const disclosed = await typed(ana, "disclose", message, "response");
    expect(disclosed.code).toBe(0);
    const [name = ""] = readdirSync(ana.temporary).filter((file) => file.startsWith("darkmatter_ctx_"));
    expect(readFileSync(join(ana.temporary, name), "utf8")).toContain(ANSWER);
    expect(readFileSync(join(ana.temporary, name), "utf8")).not.toContain(WORDS);

    expect(await typed(ana, "disclose", message, "response")).toMatchObject({
      code: 1,
      err: expect.stringContaining("exists already"),
    });
    expect((await typed(ana, "disclose", message, "response", "--force")).code).toBe(0);
    expect(await command(ana, "fsck")).toMatchObject({ code: 0, said: { isSound: true } });
    await talk.stop();
    expect(await command(ana, "recent", "--limit", "1")).toMatchObject({ code: 0 });
    expect((await command(ana, "status")).said.ledger).toMatchObject({ split_histories: [] });
  },
);

/** Files below a folder that hold a text, in whatever way. */
function bytesHold(folder: string, text: string): string[] {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  const paths = names.map((entry) => join(entry.parentPath, entry.name));
  return paths.filter((path) => readFileSync(path).includes(text));
}

test("what is erased is in no file of a running node, and the chain still verifies", SLOW, async () => {
  using ana = testHome();
  using bo = testHome();
  await using talk = await conversation(ana, bo);
  const { message } = talk;
  // A clean stop writes the state for older nodes, words included.
  await talk.stop();
  await using node = real(ana, ["up", "--json"]);
  await node.firstLine();
  await using session = await real(ana, ["mcp"]).open();
  const proof = await session.call("darkmatter_prove", { about: message, disclose: ["all"] });
  expect(proof).toMatchObject({ success: true, disclosed: { content: 1 } });
  expect([modeOf(proof.file), proof.file.startsWith(ana.places.exports)]).toEqual([0o600, true]);
  expect(await session.call("darkmatter_prove", { check: [proof.file] })).toMatchObject({
    verdict: "verified",
  });
  expect(await session.call("darkmatter_prove", { check: ["ana.json"] })).toMatchObject({ success: false });
  expect(bytesHold(ana.home, WORDS).length).toBeGreaterThanOrEqual(3);

  expect(await command(ana, "erase", message)).toMatchObject({
    code: 1,
    said: { error: "Nothing was done." },
  });
  const erased = await typed(ana, "erase", message, "--yes");
  expect([erased.code, erased.err]).toEqual([0, ""]);
  expect(erased.out).toContain("What others hold is not erased");
  expect(erased.out).toContain(`Removed with them: ${proof.file}`);
  expect(bytesHold(ana.home, WORDS)).toEqual([]);
  expect(bytesHold(ana.home, ANSWER)).toEqual([]);

  expect((await command(ana, "replay", message, "--full")).said.steps[0].fields).toMatchObject([
    { name: "content", erased_at: expect.any(String) },
    { name: "metadata", erased_at: expect.any(String) },
  ]);
  expect(await command(ana, "fsck")).toMatchObject({ code: 0, said: { isSound: true } });
  expect(await command(ana, "verify", message)).toMatchObject({ code: 0, said: { verified: true } });
});

test("both sides together prove who said what to whom, and say what they do not prove", SLOW, async () => {
  using ana = testHome();
  using bo = testHome();
  await using talk = await conversation(ana, bo);
  const [a, b] = [join(ana.temporary, "a.json"), join(bo.temporary, "b.json")] as const;
  await command(ana, "export", talk.message, "-o", a, "--disclose", "content,response");
  await command(bo, "export", talk.message, "-o", b, "--disclose", "all");

  const { code, said } = await command(ana, "verify", a, b);
  expect([code, said.verified, said.verdict, said.problems]).toEqual([0, true, "verified", []]);
  const words = said.statements.filter(({ content }: Said) => content !== null);
  expect(words.map(({ act, agent_id, peer, content }: Said) => [act, agent_id, peer, content])).toEqual([
    ["message.sent", ana.agentId, bo.agentId, WORDS],
    ["message.received", bo.agentId, ana.agentId, WORDS],
    ["message.answered", ana.agentId, bo.agentId, ANSWER],
    ["message.answered", bo.agentId, ana.agentId, ANSWER],
  ]);
  const kinds = new Set(words[0].proven_by.map(({ kind }: Said) => kind));
  expect(kinds).toEqual(new Set(["checkpoint", "other side", "signature", "receipt"]));
  expect(words[0].not_proven).toEqual(["what it holds as metadata: not disclosed"]);

  const { out } = await typed(ana, "verify", a, b);
  expect(out).toMatch(
    new RegExp(`1\\. .* \\(${ana.agentId.slice(0, 12)}\\) sent .*: "${WORDS.replace("?", "\\?")}"`),
  );
  expect(out).toContain("TOGETHER: nothing in these files contradicts anything else.");
  expect(out).toContain("that nothing else was said");

  writeFileSync(b, readFileSync(b, "utf8").replace(ANSWER, ANSWER.replace("never", "maybe")));
  const forged = await command(ana, "verify", a, b);
  expect(forged).toMatchObject({ code: 1, said: { verified: false, verdict: "failed" } });
  expect(forged.said.problems).toMatchObject([{ files: [b], agent_id: bo.agentId }]);
});

test("a byte changed in an export is caught, and the phase and the commit are named", SLOW, async () => {
  using ana = testHome();
  using bo = testHome();
  await using talk = await conversation(ana, bo);
  const file = join(ana.temporary, "a.json");
  await command(ana, "export", talk.message, "-o", file, "--disclose", "all");
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replace(WORDS, WORDS.replace("parser", "parsel")));

  const { code, said } = await command(ana, "verify", file);
  expect(code).toBe(1);
  const [sent] = (await command(ana, "replay", talk.message)).said.steps;
  expect(said.phases).toContainEqual(
    expect.objectContaining({ phase: "disclosures", status: "fail", failing: sent.commit }),
  );
  const shown = await typed(ana, "verify", file);
  expect(shown.out).toContain(`FAIL  disclosures         ${sent.commit}`);
  expect(shown.out).toMatch(/a\.json: FAILED \(/);
});

test(
  "damage is named where it is by fsck, recent and verify, and the rest can still be read",
  SLOW,
  async () => {
    using ana = testHome();
    using bo = testHome();
    await using talk = await conversation(ana, bo);
    await talk.stop();
    const { said } = await command(ana, "replay", talk.message);
    const [sent] = said.steps;
    expect((await command(ana, "recent", "--limit", "1")).code).toBe(0);
    damage(ana, "payload = replace(payload, 'sent', 'gone')", `id = '${sent.commit}'`);

    expect(await command(ana, "fsck")).toMatchObject({
      code: 1,
      said: { isSound: false, first: { kind: "payload_hash", id: sent.commit } },
    });
    expect((await typed(ana, "fsck")).out).toContain(sent.commit);
    const recent = await command(ana, "recent");
    expect(recent.code).toBe(1);
    const bad = recent.said.commits.filter(({ valid }: Said) => !valid);
    expect(bad.map(({ commit }: Said) => commit)).toEqual([sent.commit]);
    expect((await command(ana, "inbox")).code).toBe(0);
    expect(await command(ana, "verify", talk.message)).toMatchObject({
      code: 1,
      said: { error: expect.stringContaining(sent.commit) },
    });
  },
);

/** Counted from 0: the page where the index of commits by id begins. */
function indexPageOf(path: string): number {
  const db = new DatabaseSync(path, { readOnly: true });
  const row = db.prepare(
    "SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_ledger_commits_1'",
  );
  const page = Number(row.get()?.rootpage) - 1;
  db.close();
  return page;
}

test("of a file with a bad page, what is left can be read, and fsck says so", SLOW, async () => {
  using ana = testHome();
  using bo = testHome();
  await using talk = await conversation(ana, bo);
  await talk.stop();
  const bytes = readFileSync(ana.places.database);
  const index = indexPageOf(ana.places.database) * PAGE_BYTES;
  const flipped = Buffer.from(bytes);
  flipped[index] = (flipped[index] ?? 0) ^ 0xff;
  writeFileSync(ana.places.database, flipped);
  expect(await command(ana, "up")).toMatchObject({ code: 1, said: { error: "The database is damaged." } });
  // All commits can still be read, and hold.
  expect(await command(ana, "fsck")).toMatchObject({
    code: 1,
    said: { badCommits: 0, first: { kind: "file" } },
  });

  const page = Math.floor(bytes.indexOf('{"act":"message.answered"') / PAGE_BYTES) * PAGE_BYTES;
  writeFileSync(ana.places.database, bytes.fill(0xff, page + 8, page + 1000));

  expect(await command(ana, "up")).toMatchObject({ code: 1, said: { error: "The database is damaged." } });
  expect(await command(ana, "fsck")).toMatchObject({ code: 1, said: { isSound: false } });
  const inbox = await typed(ana, "inbox");
  expect([inbox.code, inbox.out]).toEqual([0, "The inbox is empty.\n"]);
  expect(inbox.err).toContain("only what can still be read");
});

test(
  "a node does not start on a ledger whose end is damaged: the first bad commit is named, and reading goes on",
  SLOW,
  async () => {
    using ana = testHome();
    using bo = testHome();
    await using talk = await conversation(ana, bo);
    await talk[Symbol.asyncDispose]();
    const [newest] = (await command(ana, "recent", "--limit", "1")).said.commits;
    damage(ana, "accepted_ms = accepted_ms + 5000", `id = '${newest.commit}'`);

    await using again = real(ana, ["up", "--json"]);
    const refused = await again.firstLine();
    expect(refused.hint).toContain("darkmatter fsck");
    expect(refused.error).toContain(newest.commit);
    expect(await again.exited).toBe(1);
    expect((await command(ana, "inbox")).code).toBe(0);
  },
);

test("what is not there is said, with what to type to see what is", SLOW, async () => {
  using ana = testHome();
  expect(await command(ana, "recent")).toMatchObject({
    code: 1,
    said: { hint: "Start a node: darkmatter up. Or use a ledger server: darkmatter init" },
  });
  await using node = real(ana, ["up", "--json"]);
  await node.firstLine();
  expect(await command(ana, "recent")).toMatchObject({ code: 0, said: { commits: [] } });
  expect(await command(ana, "checkpoint")).toMatchObject({ code: 0, said: { checkpoint: null } });
  for (const argv of [
    ["replay", "1"],
    ["export", "ctx_1"],
    ["lineage", "msg-000000000000"],
  ]) {
    expect(await command(ana, ...argv)).toMatchObject({
      code: 1,
      said: { hint: expect.stringContaining("darkmatter recent") },
    });
  }
  expect(await command(ana, "recent", "--limit", "many")).toMatchObject({ code: 2 });
  expect(await command(ana, "disclose", "1")).toMatchObject({ code: 2 });
  expect(await command(ana, "verify", "nothing.json")).toMatchObject({
    code: 1,
    said: { error: expect.stringContaining("no file nothing.json") },
  });
  expect(existsSync(join(ana.places.folder, "exports"))).toBe(false);
});

test("what was signed before damage can still be exported", SLOW, async () => {
  using ana = testHome();
  using bo = testHome();
  await using talk = await conversation(ana, bo);
  await talk.bo[Symbol.asyncDispose]();
  // Signed, but seen by nobody; and then a commit that nothing covers.
  expect((await command(ana, "checkpoint")).said.witnesses).toEqual([]);
  const { said } = await command(ana, "send", bo.agentId, "Are you there?");
  await talk[Symbol.asyncDispose]();
  damage(ana, "accepted_ms = accepted_ms + 5000", "position = (SELECT max(position) FROM ledger_commits)");

  const files = [join(ana.temporary, "before.json"), join(ana.temporary, "after.json")] as const;
  expect(await command(ana, "export", talk.message, "-o", files[0])).toMatchObject({
    code: 0,
    said: { witnesses: 0 },
  });
  expect((await command(ana, "verify", files[0])).code).toBe(0);
  expect((await command(ana, "export", said.message_id, "-o", files[1])).code).toBe(1);
});

/** Changes commits behind the ledger's back. */
function damage(home: TestHome, change: string, where: string): void {
  using db = new DatabaseSync(home.places.database);
  db.exec("DROP TRIGGER ledger_commits_keep");
  db.exec(`UPDATE ledger_commits SET ${change} WHERE ${where}`);
}

test(
  "the state of a version that kept a plain journal is taken over: from then on acts are commits",
  SLOW,
  async () => {
    using ana = testHome();
    using bo = testHome();
    await using before = real(ana, ["up", "--json"]);
    await before.firstLine();
    before.child.kill("SIGTERM");
    await before.exited;
    using db = new DatabaseSync(ana.places.database);
    const ours = db
      .prepare("SELECT name FROM sqlite_schema WHERE name LIKE 'ledger\\_%' ESCAPE '\\' AND type = 'table'")
      .all();
    for (const { name } of ours) db.exec(`DROP TABLE ${name}`);
    db.exec("DELETE FROM store_migrations WHERE name LIKE 'ledger/%' OR name = 'store/001-journal'");
    db.exec(
      "CREATE TABLE journal (position INTEGER PRIMARY KEY); INSERT INTO store_migrations VALUES ('store/001-journal')",
    );
    db.close();
    expect(await command(ana, "recent")).toMatchObject({
      code: 1,
      said: { hint: expect.stringMatching(/Start the node once/) },
    });

    await using node = real(ana, ["up", "--json"]);
    const { url } = await node.firstLine();
    await command(bo, "connect", url);
    expect(acts((await command(ana, "recent")).said)).toEqual(["connection.opened"]);
  },
);
