import { DAY_MS, sha256Hex } from "@darkmatter/core";
import type { Database, Write } from "@darkmatter/store";
import { UNLIMITED } from "@darkmatter/surface";
import { insertAccount, lockAccount } from "../accounts/accounts.store.ts";
import { audit } from "../accounts/audit.store.ts";
import type { KeyCaller } from "../callers.ts";
import { serverError } from "../errors.ts";
import { keyHint, newApiKey } from "../ids.ts";
import type { LedgerServerPorts } from "../ports.ts";
import { sealedSecrets } from "./adapters/sealed-secrets.ts";
import { type AgentChange, agentsMadeSince, changeAgent, type NewAgent } from "./agents.store.ts";
import { type AgentMeta, type MadeAgent, makeAgent, NO_META } from "./new-agent.ts";

/** No more agents today. */
export interface AgentLimit {
  readonly limit: number;
  /** The next midnight, UTC. */
  readonly resetsMs: number;
}

export interface Agents {
  /** A new account without a password, and its first agent. @throws account_exists for an email that is known */
  provision(email: string, name: string): Promise<MadeAgent>;
  /** An agent made by a person. */
  make(account: number, name: string): Promise<MadeAgent | AgentLimit>;
  /** An agent made by an agent. */
  spawn(by: KeyCaller, name: string, meta: AgentMeta): Promise<MadeAgent | AgentLimit>;
  /** The new key; the old one is refused from now on. @throws not_found */
  rotateKey(account: number, id: string): Promise<string>;
  /** @throws not_found, as all below */
  end(account: number, id: string): Promise<void>;
  setWebhook(account: number, id: string, url: string | null, secret: string | null): Promise<void>;
  setRetention(account: number, id: string, days: number | null): Promise<void>;
}

type WantedAgent = Pick<NewAgent, "account" | "name" | "madeBy" | "spawnedBy" | keyof AgentMeta>;

export function createAgents({ db, clock, random, logKey, config }: LedgerServerPorts): Agents {
  const now = () => Math.floor(clock.now());
  const secrets = sealedSecrets(logKey.derive("darkmatter ledger webhook secrets"), random);

  async function insert(tx: Write, agent: WantedAgent): Promise<MadeAgent> {
    const made = await makeAgent(tx, { ...agent, createdMs: now() }, random);
    await audit(tx, { atMs: made.createdMs, account: agent.account, act: "agent.made", subject: made.id });
    return made;
  }

  /** So many a day of an account, of each way to make one. */
  function insertLimited(limit: number, agent: WantedAgent): Promise<MadeAgent | AgentLimit> {
    return db.write(async (tx) => {
      await lockAccount(tx, agent.account);
      const dayMs = Math.floor(now() / DAY_MS) * DAY_MS;
      if (limit !== UNLIMITED && (await agentsMadeSince(tx, agent, dayMs)) >= limit)
        return { limit, resetsMs: dayMs + DAY_MS };
      return insert(tx, agent);
    });
  }

  const change = changer(db, now);

  return {
    provision: (email, name) =>
      db.write(async (tx) => {
        const account = await insertAccount(tx, { email, password: null, createdMs: now() });
        if (account === undefined) throw serverError("account_exists");
        await audit(tx, { atMs: now(), account, act: "account.made" });
        return insert(tx, { ...NO_META, account, name, madeBy: "provision", spawnedBy: null });
      }),

    make: (account, name) =>
      insertLimited(config.limits.agentsADay, {
        ...NO_META,
        account,
        name,
        madeBy: "dashboard",
        spawnedBy: null,
      }),

    spawn: ({ account, agentId }, name, meta) =>
      insertLimited(config.limits.spawnsADay, {
        ...meta,
        account,
        name,
        madeBy: "spawn",
        spawnedBy: agentId,
      }),

    async rotateKey(account, id) {
      const key = newApiKey(random);
      await change(account, id, { key_hash: sha256Hex(key), key_hint: keyHint(key) }, "agent.key_rotated");
      return key;
    },

    end: (account, id) => change(account, id, { ended_ms: now() }, "agent.ended"),

    setWebhook(account, id, url, secret) {
      const sealed = secret === null ? null : secrets.seal(secret, id);
      return change(account, id, { webhook_url: url, webhook_secret: sealed }, "agent.webhook_set");
    },

    setRetention: (account, id, days) => change(account, id, { retention_days: days }, "agent.retention_set"),
  };
}

function changer(db: Database, now: () => number) {
  return (
    account: number,
    id: string,
    change: AgentChange,
    act: "agent.key_rotated" | "agent.ended" | "agent.webhook_set" | "agent.retention_set",
  ): Promise<void> =>
    db.write(async (tx) => {
      if (!(await changeAgent(tx, account, id, change))) throw serverError("not_found");
      await audit(tx, { atMs: now(), account, act, subject: id });
    });
}
