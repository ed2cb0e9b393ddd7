import { MINUTE_MS, SECOND_MS } from "@darkmatter/core";
import { validateUrl } from "@darkmatter/net";
import type { Read, Write } from "@darkmatter/store";
import { endpoint } from "../connections/connection.ts";
import { meshError } from "../errors.ts";
import { readSetting, writeSetting } from "../identity/identity.store.ts";
import type { Peers } from "../peers.ts";
import type { MeshPorts } from "../ports.ts";
import type { Wallets } from "./wallets.ts";

/** Who gets a fee that found no other taker (mesh.md 12). */
export interface Superagent {
  /** The URL the agent chose, and the one that counts: that, else the owner's, else the first anchor. */
  url(tx: Read): Promise<{ readonly chosen: string | null; readonly effective: string | null }>;
  /** `null` goes back to the owner's choice. @throws BAD_REQUEST for what is no URL */
  choose(tx: Write, url: string | null): Promise<void>;
  /** Its Solana wallet, asked of it at most every five minutes; empty where there is none. Never rejects. */
  wallet(): Promise<string>;
}

const REMEMBERED_MS = 5 * MINUTE_MS;
const ASK_TIMEOUT_MS = 5 * SECOND_MS;

export function createSuperagent(ports: MeshPorts, peers: Peers, wallets: Wallets): Superagent {
  const { db, clock, config } = ports;
  let known: { readonly url: string; readonly wallet: string; readonly atMs: number } | undefined;

  async function url(tx: Read) {
    const chosen = (await readSetting(tx, "superagent_url")) ?? null;
    return { chosen, effective: chosen ?? config.superagent ?? config.anchors[0] ?? null };
  }

  async function ask(base: string): Promise<string> {
    const call = {
      url: endpoint(base, "network_info"),
      timeoutMs: ASK_TIMEOUT_MS,
      reach: "private",
    } as const;
    const answer = await peers.get(call).catch(() => undefined);
    const told = answer?.status === 200 ? answer.body.wallets : undefined;
    const address = (told as { solana?: unknown } | undefined | null)?.solana;
    return typeof address === "string" && wallets.all.some((one) => one.isAddress(address)) ? address : "";
  }

  return {
    url,

    async choose(tx, chosen) {
      const wrong = chosen === null ? undefined : validateUrl(chosen);
      if (wrong) throw meshError("BAD_REQUEST", wrong);
      await writeSetting(tx, "superagent_url", chosen ?? undefined);
    },

    async wallet() {
      const { effective } = await url(db);
      if (effective === null || wallets.all.length === 0) return "";
      const isKnown = known?.url === effective && clock.monotonic() - known.atMs < REMEMBERED_MS;
      if (!known || !isKnown)
        known = { url: effective, wallet: await ask(effective), atMs: clock.monotonic() };
      return known.wallet;
    },
  };
}
