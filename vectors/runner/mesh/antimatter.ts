import { type Json, parseTime } from "@darkmatter/core";
import { adjusted } from "@darkmatter/mesh/nouns";
import { chooseVeteran, commitmentOf, isCommitted } from "@darkmatter/mesh/testing";
import { type Outcome, ran } from "../outcome.ts";

interface Document {
  readonly commit: ReadonlyArray<{ pick: number; nonce_hex: string; commitment: string }>;
  readonly verify: ReadonlyArray<{
    label: string;
    commitment: string;
    pick: number;
    nonce_hex: string;
    ok: boolean;
  }>;
  readonly adjust_trust: ReadonlyArray<{ before: number | null; delta: number; after: number }>;
  readonly select_veteran: ReadonlyArray<{
    label: string;
    now: string;
    self_created_at: string;
    connections: ReadonlyArray<{
      agent_id: string;
      peer_created_at?: string;
      score?: number;
      wallets: { solana?: string };
    }>;
    path: readonly string[];
    random: number;
    selected: string | null;
  }>;
}

/** Commitments, trust and veterans of the fee (mesh.md 13). */
export async function* antimatter(document: Json): AsyncIterable<Outcome> {
  const { commit, verify, adjust_trust: trust, select_veteran: veterans } = document as unknown as Document;
  for (const { pick, nonce_hex: nonce, commitment } of commit) {
    yield ran(`commitment to ${pick}`, (found) =>
      found.equal("commitment", commitmentOf(pick, nonce), commitment),
    );
  }
  for (const { label, commitment, pick, nonce_hex: nonce, ok } of verify) {
    yield ran(label, (found) => found.equal("verifies", isCommitted(commitment, pick, nonce), ok));
  }
  for (const { before, delta, after } of trust) {
    yield ran(`${before} moved by ${delta}`, (found) =>
      found.equal("score", adjusted(before ?? 0, delta), after),
    );
  }
  for (const {
    label,
    now,
    self_created_at: selfCreatedAt,
    connections,
    path,
    random,
    selected,
  } of veterans) {
    yield ran(label, (found) => {
      const candidates = connections.map((one) => ({
        agentId: one.agent_id,
        createdAt: one.peer_created_at ?? null,
        score: one.score ?? 0,
        wallet: one.wallets.solana,
      }));
      const nowMs = parseTime(now) ?? 0;
      const chosen = chooseVeteran(candidates, {
        selfCreatedAt,
        nowMs,
        excluded: new Set(path),
        draw: random,
      });
      found.equal("veteran", chosen?.agentId ?? null, selected);
    });
  }
}

/** Picks of the node's own: any in the range the file names will do. */
export function drawnPicks(body: Json): { readonly body: Json; readonly patterns: Record<string, string> } {
  const [, key, least, most] =
    /^\{"(\w+)": integer (\d)\.\.(\d)\}$/.exec(typeof body === "string" ? body : "") ?? [];
  if (key !== undefined) return { body: { [key]: 0 }, patterns: { [key]: `^[${least}-${most}]$` } };
  // The games of the file have four players.
  const isReveal = typeof body === "object" && body !== null && "peer_pick" in body;
  return { body, patterns: isReveal ? { peer_pick: "^[0-4]$" } : {} };
}
