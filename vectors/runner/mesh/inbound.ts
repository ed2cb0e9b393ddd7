import { type Json, type JsonObject, parseTime } from "@darkmatter/core";
import { challengeText, createSigner, createVerifier } from "@darkmatter/identity";
import { type Findings, type Outcome, ran } from "../outcome.ts";
import type { Setup } from "./setup.ts";
import { openWorld, type World } from "./world.ts";

/** The clock of all files that name no other (README of the vectors). */
const NOW = "2026-03-05T12:00:00+00:00";
const NOBODY_ANSWERS = () => undefined;

const node = {
  private_key_hex: "5d".repeat(32),
  agent_id: createSigner("5d".repeat(32)).agentId,
  display_name: "checked",
  bio: "checks what comes in",
  created_at: "2026-02-01T00:00:00+00:00",
  public_url: "http://127.0.0.1:8150",
};

interface Row {
  readonly label: string;
  readonly stored_connection: string;
  readonly stored_key_hex: string | null;
  readonly payload: JsonObject;
  readonly verified: boolean;
  readonly error: string | null;
  readonly status: number;
  readonly pinned: boolean;
  readonly key_after: string | null;
  readonly reference_weakness?: boolean | string;
}

/** Who is believed to have sent a message (mesh.md 3): each row is posted to a node of its own. */
export async function* verifyInbound(document: Json): AsyncIterable<Outcome> {
  const { rows, now = NOW } = document as unknown as { rows: readonly Row[]; now?: string };
  const nowMs = parseTime(now) ?? 0;
  for (const row of rows) {
    yield ran(row.label, async (found) => {
      await using world = await openWorld({ setup: setupOf(row), nowMs, reply: NOBODY_ANSWERS });
      await postRow(found, world, row);
    });
  }
}

function setupOf({ stored_connection: stored, stored_key_hex: key, payload }: Row): Setup {
  const connection = {
    agent_id: String(payload.from_agent_id),
    agent_url: "http://127.0.0.1:8130",
    agent_public_key_hex: key,
    connected_at: "2026-03-01T00:00:00+00:00",
  };
  return { node, connections: stored.startsWith("present") ? [connection] : [], impressions: {} };
}

async function postRow(found: Findings, world: World, row: Row): Promise<void> {
  // Neither is signed, so neither changes what the row is about.
  const rest = { webhook: "http://127.0.0.1:8130/__darkmatter__/webhook/msg-vi", hops_remaining: 10 };
  const path = "/__darkmatter__/message";
  const answer = await world.node.local({ method: "POST", path, body: { ...rest, ...row.payload } });
  await world.settle();

  // The one weakness in this table: a key that is not the claimed agent id (S1).
  const expected = row.reference_weakness ? { status: 403, verified: false, error: "refused" } : row;
  found.equal("status", answer.status, expected.status);
  const { error } = answer.json as JsonObject;
  found.equal("says why not", typeof error === "string" && error !== "", expected.error !== null);
  const inbox = await world.node.tool("list_inbox");
  found.equal("queued", inbox.total, expected.verified ? 1 : 0);
  const { connections } = await world.state();
  const connection = (connections as Record<string, JsonObject>)[String(row.payload.from_agent_id)];
  const keyAfter = connection?.agent_public_key_hex ?? null;
  found.equal("key afterwards", keyAfter, row.key_after);
  found.equal("pinned", row.stored_key_hex === null && keyAfter !== null, row.pinned);
}

interface ProofCase {
  readonly label: string;
  readonly challenge_for: string;
  readonly agent_id: string;
  readonly public_key_hex: string;
  readonly challenge_hex: string;
  readonly proof_hex: string;
  readonly age_s: number;
  readonly valid: boolean;
  readonly signature_alone_verifies: boolean;
  readonly second_use_by_id_only_valid: boolean;
}

const verifier = createVerifier({ threads: "never" });

/** The challenge and its answer (mesh.md 6.2), over the routes; chance brings the challenge of the file. */
export async function* connectionProof(document: Json): AsyncIterable<Outcome> {
  const { cases, now = NOW } = document as unknown as { cases: readonly ProofCase[]; now?: string };
  const nowMs = parseTime(now) ?? 0;
  for (const one of cases) {
    yield ran(one.label, async (found) => {
      const setup = { node, connections: [], impressions: {} };
      const chance = [one.challenge_hex];
      await using world = await openWorld({ setup, nowMs, reply: NOBODY_ANSWERS, chance });
      await proveCase(found, world, one, nowMs);
    });
  }
}

async function proveCase(found: Findings, world: World, one: ProofCase, nowMs: number): Promise<void> {
  const post = async (route: string, body: object) =>
    world.node.local({ method: "POST", path: `/__darkmatter__/${route}`, body });
  const asked = await post("connection_request", {
    from_agent_id: one.challenge_for,
    from_agent_url: "https://asker.example.com",
  });
  const { request_id: requestId, challenge_id: issued, challenge_hex: hex } = asked.json as JsonObject;
  found.equal("challenge", hex, one.challenge_hex);
  await world.setNow(nowMs + one.age_s * 1000);

  const signed = await verifier.verify(
    one.public_key_hex,
    challengeText(one.challenge_hex) ?? "",
    one.proof_hex,
  );
  if (one.signature_alone_verifies) found.holds("the signature verifies", signed);
  const proof = {
    challenge_id: isOfUnknownId(one, signed) ? "ch-0000000000000000" : String(issued),
    proof_hex: one.proof_hex,
    agent_id: one.agent_id,
    public_key_hex: one.public_key_hex,
  };
  const first = await post("connection_proof", proof);
  found.equal("accepted", first.status === 200, one.valid);
  if (one.valid) found.like("answer", first.json, { success: true, identity_verified: true });
  const second = await post("connection_proof", proof);
  found.equal("accepted again", second.status === 200, one.second_use_by_id_only_valid);

  await post("accept_pending", { request_id: requestId });
  await world.settle();
  const { connections } = await world.state();
  const connection = (connections as Record<string, JsonObject>)[one.challenge_for];
  found.equal("identity_verified", connection?.identity_verified, one.valid);
}

/** A case refused although everything in it is right is one about a challenge nobody issued. */
function isOfUnknownId(one: ProofCase, signed: boolean): boolean {
  const isRight = signed && one.agent_id === one.challenge_for && one.public_key_hex === one.agent_id;
  return isRight && one.age_s <= 60 && !one.valid;
}
