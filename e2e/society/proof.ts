import assert from "node:assert/strict";
import { join } from "node:path";
import type { Checks } from "../checks.ts";
import type { World } from "../world.ts";
import { commanded } from "./commanded.ts";
import { type Member, type Members, member } from "./members.ts";

// biome-ignore lint/suspicious/noExplicitAny: reports are looked into by checks
type Report = any;

/** Acts that a day like this leaves in somebody's ledger (mesh.md 22.5). */
const ACTS = [
  "message.sent",
  "message.received",
  "message.forwarded",
  "message.answered",
  "receipt.given",
  "receipt.taken",
  "connection.opened",
  "connection.closed",
  "impression.set",
  "payment.sent",
  "payment.received",
  "delegation.granted",
  "delegation.ended",
  "pool.spent",
];
const RECENT_MAX = 10_000;
const EXPORTS_AT_ONCE = 4;

/** The whole day, from what each member exports: every conversation, every payment, every helper. */
export async function checkProof({ check }: Checks, world: World, members: Members): Promise<void> {
  const files: string[] = [];
  const seen = new Set<string>();
  for (const one of members) {
    await check(`society: every commit in ${one.name}'s ledger is sound`, async () => {
      for (const { act, valid } of await commitsOf(world, one)) {
        assert.equal(valid, true);
        seen.add(act);
      }
    });
  }
  await check("society: their ledgers hold the day", () => {
    assert.deepEqual(
      ACTS.filter((act) => !seen.has(act)),
      [],
      `of ${[...seen].sort()}`,
    );
  });
  for (const one of members) {
    const traces = await tracesOf(world, one);
    for (let at = 0; at < traces.length; at += EXPORTS_AT_ONCE) {
      const some = traces.slice(at, at + EXPORTS_AT_ONCE);
      const last = at + some.length;
      await check(`society: ${one.name} exports what happened, ${last} of ${traces.length}`, async () => {
        files.push(...(await exportsOf(world, one, some)));
      });
    }
  }
  await check("society: darkmatter verify proves the whole day from the exports", async () => {
    console.log(`       ${files.length} files`);
    const { code, json } = await world.command(member(members, "ana").home, "verify", ...files);
    assert.deepEqual(json.problems, []);
    assert.equal(code, 0);
    assert.equal(json.verdict, "verified");
    const said = new Set((json.statements as Report[]).map(({ act }) => act));
    for (const act of ["payment.sent", "payment.received", "delegation.granted", "pool.spent"])
      assert.ok(said.has(act), `${act} is told of: ${[...said]}`);
  });
}

async function commitsOf(world: World, { home }: Member): Promise<Report[]> {
  return (await commanded(world, home, "recent", "--limit", String(RECENT_MAX))).commits;
}

/** The newest commit about each thing that was talked about, done or paid. */
async function tracesOf(world: World, one: Member): Promise<string[]> {
  const newest = new Map<string, string>();
  for (const { trace, commit } of await commitsOf(world, one)) {
    if (!newest.has(trace)) newest.set(trace, commit);
  }
  return [...newest.values()];
}

/** A bundle for each, side by side. */
function exportsOf(world: World, { name, home }: Member, commits: readonly string[]): Promise<string[]> {
  return Promise.all(
    commits.map(async (commit) => {
      const path = join(world.folder, `${name}-${commit}.json`);
      await commanded(world, home, "export", commit, "-o", path, "--disclose", "all");
      return path;
    }),
  );
}
