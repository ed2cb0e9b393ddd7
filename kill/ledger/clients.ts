import { setTimeout as sleep } from "node:timers/promises";
import type { Servers } from "./servers.ts";

/** A commit that was answered with success. */
export interface Acknowledged {
  readonly id: string;
  readonly parentId: string | null;
  /** Scheme 2, prefixed. */
  readonly integrityHash: string;
  readonly position: number;
  readonly server: number;
}

/** Clients that commit without pause; each repeats under the same key what was not answered. */
export interface Clients {
  /** By idempotency key: each is one commit. */
  readonly acknowledged: ReadonlyMap<string, Acknowledged>;
  readonly troubles: ReadonlyMap<string, number>;
  /** Requests sent and not answered yet. */
  readonly pending: number;
  readonly key: string;
  /** Lets what is under way come to its end. */
  finish(): Promise<void>;
}

const LANES = 12;
const BACK_OFF_MS = 50;
const ANSWER_MS = 10_000;
/** Steps of a chain, before a lane begins another. */
const STEPS = 40;

interface Answered {
  readonly id: string;
  readonly integrity_v2: { readonly integrity_hash: string };
  readonly _proof: { readonly log_position: number };
}

export async function startClients(servers: Servers): Promise<Clients> {
  const key = await provision(servers.urls[0] ?? "");
  const acknowledged = new Map<string, Acknowledged>();
  const troubles = new Map<string, number>();
  const state = { working: true, pending: 0 };

  async function commit(lane: number, count: number, parentId: string | null): Promise<string> {
    const idempotencyKey = `lane ${lane} commit ${count}`;
    const body = JSON.stringify({
      payload: { lane, count },
      parentId,
      traceId: `trc_${lane}`,
      idempotencyKey,
    });
    for (let attempt = 0; ; attempt++) {
      const server = (lane + count + attempt) % servers.urls.length;
      state.pending++;
      try {
        const answer = await post(`${servers.urls[server]}/api/commit`, key, body);
        const { id, integrity_v2, _proof } = answer as Answered;
        acknowledged.set(idempotencyKey, {
          id,
          parentId,
          integrityHash: integrity_v2.integrity_hash,
          position: _proof.log_position,
          server,
        });
        return id;
      } catch (error) {
        note(troubles, error);
        await sleep(BACK_OFF_MS);
      } finally {
        state.pending--;
      }
    }
  }

  async function lane(at: number): Promise<void> {
    let parentId: string | null = null;
    for (let count = 0; state.working; count++) {
      if (count % STEPS === 0) parentId = null;
      parentId = await commit(at, count, parentId);
    }
  }

  const lanes = Promise.all(Array.from({ length: LANES }, (_, at) => lane(at)));
  lanes.catch(() => undefined);
  return {
    acknowledged,
    troubles,
    key,
    get pending() {
      return state.pending;
    },
    async finish() {
      state.working = false;
      await lanes;
    },
  };
}

async function provision(url: string): Promise<string> {
  const body = JSON.stringify({ email: "kill@example.test", agentName: "kill" });
  const answer = (await post(`${url}/api/provision`, undefined, body)) as { apiKey: string };
  return answer.apiKey;
}

async function post(url: string, key: string | undefined, body: string): Promise<object> {
  const headers = {
    "content-type": "application/json",
    ...(key !== undefined && { authorization: `Bearer ${key}` }),
  };
  const answer = await fetch(url, { method: "POST", headers, body, signal: AbortSignal.timeout(ANSWER_MS) });
  const text = await answer.text();
  // 503 says that the server is busy or not ready; anything else that is no success would be a fault of ours.
  if (answer.status !== 200 && answer.status !== 201) throw new Error(`${answer.status} ${text}`);
  return JSON.parse(text) as object;
}

/** Connections cut by a kill are what is meant to happen; the rest is told. */
function note(troubles: Map<string, number>, error: unknown): void {
  const text = error instanceof Error ? error.message : String(error);
  if (text === "fetch failed" || text === "terminated") return;
  const what = text.replaceAll(/[0-9a-f]{8,}/g, "…").slice(0, 200);
  troubles.set(what, (troubles.get(what) ?? 0) + 1);
}
