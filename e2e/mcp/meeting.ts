import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Checks, until } from "../checks.ts";
import type { Three } from "./three.ts";

const NAMES = ["ana", "bo", "cy"] as const;

/** Who they are, how they find each other, and how they get connected. */
export async function checkMeeting({ check }: Checks, three: Three): Promise<void> {
  const { ana, bo, boLegacy, cy, ids, urls, homes } = three;

  await check("mcp: both clients of both eras are served, and told how to begin", () => {
    assert.equal(bo.revision, "2026-07-28");
    assert.equal(boLegacy.revision, "2025-11-25");
    assert.equal(cy.revision, "2026-07-28", "the newer client finds out by itself over stdio");
    for (const agent of [ana, bo, boLegacy, cy]) assert.match(agent.instructions, /darkmatter_get_identity/);
  });

  await check("mcp: identity: three passports, each in its own project, each its agent's id", async () => {
    assert.equal(new Set(Object.values(ids)).size, 3);
    for (const name of NAMES) {
      const found = await three[name].ask("get_identity");
      assert.match(found.agent_id, /^[0-9a-f]{64}$/);
      assert.equal(found.public_key_hex, found.agent_id);
      assert.equal(found.display_name, name);
      assert.equal(found.passport_path, join(homes[name].project, ".darkmatter", "passport.key"));
      assert.match(readFileSync(found.passport_path, "utf8"), /^[0-9a-f]{64}\n$/);
      assert.equal(statSync(found.passport_path).mode & 0o777, 0o600);
    }
  });

  await check("mcp: bio: what an agent says of itself is what others read", async () => {
    for (const name of NAMES) {
      const said = await three[name].ask("update_bio", { bio: `  I am ${name}'s agent.  ` });
      assert.equal(said.bio, `I am ${name}'s agent.`);
      const document = await (await fetch(`${urls[name]}/.well-known/darkmatter.json`)).json();
      assert.equal((document as { bio: string }).bio, `I am ${name}'s agent.`);
    }
  });

  await check("mcp: discover_local finds the other two and nobody else", async () => {
    for (const name of NAMES) {
      const found = await three[name].ask("discover_local");
      const expected = NAMES.filter((other) => other !== name).map((other) => ids[other]);
      const peers: { agent_id: string; url: string; bio: string }[] = found.peers;
      assert.deepEqual(peers.map((peer) => peer.agent_id).sort(), expected.sort());
      for (const peer of peers) {
        const other = NAMES.find((one) => ids[one] === peer.agent_id) ?? "ana";
        assert.equal(peer.url, urls[other]);
        assert.equal(peer.bio, `I am ${other}'s agent.`);
      }
    }
  });

  await check("mcp: a request on one machine is accepted at once, and both sides know", async () => {
    const before = [ana, bo, boLegacy, cy].map(({ changes }) => changes);
    const pairs = [
      ["ana", "bo"],
      ["ana", "cy"],
      ["bo", "cy"],
    ] as const;
    for (const [one, other] of pairs) {
      const answer = await three[one].ask("connection", {
        action: "request",
        target_url: `${urls[other]}/mcp/`,
      });
      assert.equal(answer.status, "connected");
      assert.equal(answer.agent_id, ids[other]);
      assert.equal(answer.agent_bio, `I am ${other}'s agent.`);
    }
    for (const name of NAMES) {
      const { total, connections } = await three[name].ask("list_connections");
      assert.equal(total, 2);
      for (const peer of connections) {
        const other = NAMES.find((one) => ids[one] === peer.agent_id) ?? "ana";
        assert.equal(peer.display_name, other);
        assert.equal(peer.bio_summary, `I am ${other}'s agent.`);
      }
    }
    await until("every client of both eras hears that its tools changed", () =>
      [ana, bo, boLegacy, cy].every(({ changes }, at) => changes > (before[at] ?? 0)),
    );
    for (const agent of [ana, bo, boLegacy, cy]) {
      const names = await agent.names();
      assert.ok(names.includes("set_impression") && !names.includes("discover_domain"), names.join(" "));
    }
  });
}
