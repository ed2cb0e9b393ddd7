import assert from "node:assert/strict";
import { join } from "node:path";
import type { Checks } from "../checks.ts";
import type { World } from "../world.ts";
import { commanded } from "./commanded.ts";
import { type Member, type Members, NAMES } from "./members.ts";

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

/** The whole day, from what each member exports: every conversation, every payment, every helper. */
export async function checkProof({ check }: Checks, world: World, members: Members): Promise<void> {
  const files: string[] = [];
  await check("society: everybody's ledger holds the day, every commit of it sound", async () => {
    const seen = new Set<string>();
    for (const name of NAMES) {
      const commits = await commitsOf(world, members[name]);
      for (const { act, valid } of commits) {
        assert.equal(valid, true);
        seen.add(act);
      }
    }
    assert.deepEqual(
      ACTS.filter((act) => !seen.has(act)),
      [],
      `of ${[...seen].sort()}`,
    );
  });
  await check("society: darkmatter verify proves the whole day from the exports", async () => {
    const all = await Promise.all(NAMES.map((name) => exportsOf(world, members[name])));
    files.push(...all.flat());
    const { code, json } = await world.command(members.ana.home, "verify", ...files);
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

/** A bundle for each thing that was talked about, done or paid. */
async function exportsOf(world: World, member: Member): Promise<string[]> {
  const commits = await commitsOf(world, member);
  const newest = new Map<string, string>();
  for (const { trace, commit } of commits) if (!newest.has(trace)) newest.set(trace, commit);
  const paths: string[] = [];
  for (const id of newest.values()) {
    const path = join(world.folder, `${member.name}-${paths.length}.json`);
    await commanded(world, member.home, "export", id, "-o", path, "--disclose", "all");
    paths.push(path);
  }
  return paths;
}
