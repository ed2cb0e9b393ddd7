import {
  hasCode,
  isJsonObject,
  isoTime,
  type Json,
  type JsonObject,
  parseJson,
  reasonOf,
  SECOND_MS,
} from "@darkmatter/core";
import { relayPollText, signText } from "@darkmatter/identity";
import { RELAY_KINDS, RELAYS, type RelayKind } from "../anchor/relay-kind.ts";
import type { MeshPorts } from "../ports.ts";
import type { Anchors } from "./anchors.ts";

const POLL_MS = 10 * SECOND_MS;
/** The most an anchor may answer, in bytes; more is none of ours. */
const ANSWER_BYTES_MAX = 2 * 1024 * 1024;
/** Entries looked at in one answer: no buffer of an honest anchor holds more. */
const ENTRIES_MAX = 100;

/** Takes one entry. `false`: not now, leave it where it is. */
export type TakeEntry = (kind: RelayKind, entry: JsonObject) => Promise<boolean>;

/** Fetching what lies with the anchors for us. */
export interface Polls {
  /** Asks every anchor for everything, but those that still owe an answer. Never rejects. */
  run(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly body: Json | undefined;
}

/**
 * Entries stay with the anchor until the next poll says that they were taken, where the anchor knows `cursor`; anchors
 * of the first generation forget what they answer. `unknown`: an anchor that does not know us (any more).
 */
export function createPolls(
  { signer, clock, wire, report }: Pick<MeshPorts, "signer" | "clock" | "wire" | "report">,
  anchors: Anchors,
  take: TakeEntry,
  unknown: (anchor: string) => void,
): Polls {
  const cursors = new Map<string, string>();
  const asked = new Set<string>();
  const silent = new Set<string>();
  let lastMs = 0;

  /** Each poll has a time of its own: anchors answer each signature once. */
  function sign(): { readonly timestamp: string; readonly signature: string } {
    lastMs = Math.max(clock.now(), lastMs + 1);
    const timestamp = isoTime(lastMs);
    return { timestamp, signature: signText(signer, relayPollText({ agentId: signer.agentId, timestamp })) };
  }

  async function ask(anchor: string, kind: RelayKind, signed: ReturnType<typeof sign>): Promise<Answer> {
    const query = new URLSearchParams({
      signature: signed.signature,
      timestamp: signed.timestamp,
      after: cursors.get(`${anchor} ${kind}`) ?? "",
    });
    const url = `${anchor}/__darkmatter__/${kind}_relay_poll/${signer.agentId}?${query}`;
    const request = {
      method: "GET",
      url,
      timeoutMs: POLL_MS,
      reach: "private",
      maxBytes: ANSWER_BYTES_MAX,
    } as const;
    const { status, body } = await wire.request(request);
    return { status, body: parseJson(new TextDecoder().decode(body)) };
  }

  /** Hands on the entries of an answer, in order. Whether all of it is done with. */
  async function takeAll(kind: RelayKind, body: JsonObject): Promise<boolean> {
    const entries = body[RELAYS[kind].list];
    if (!Array.isArray(entries)) return false;
    for (const entry of entries.slice(0, ENTRIES_MAX)) {
      if (isJsonObject(entry) && !(await take(kind, entry))) return false;
    }
    return true;
  }

  async function pollOne(anchor: string, kind: RelayKind, signed: ReturnType<typeof sign>): Promise<boolean> {
    const { status, body } = await ask(anchor, kind, signed);
    if (status === 403) unknown(anchor);
    if (status !== 200 || !isJsonObject(body)) return false;
    const isDone = await takeAll(kind, body);
    const { cursor } = body;
    // Not acknowledged, it comes again with the next poll; whoever has it already is known by its id.
    if (isDone && typeof cursor === "string" && cursor.length <= 64) cursors.set(`${anchor} ${kind}`, cursor);
    return isDone;
  }

  /** Said once, and again when it was back meanwhile. */
  function silentNow(anchor: string, reason: string): void {
    if (silent.has(anchor)) return;
    silent.add(anchor);
    report("anchor.silent", { anchor, reason });
  }

  /** All kinds with one signature, as the first generation asks, so that none of it is left for others to use. */
  async function pollAnchor(anchor: string): Promise<void> {
    const signed = sign();
    const answered = await Promise.all(
      RELAY_KINDS.map((kind) =>
        pollOne(anchor, kind, signed).catch((error: unknown) => {
          if (!hasCode(error, "ABORTED")) silentNow(anchor, reasonOf(error));
          return false;
        }),
      ),
    );
    if (!answered.every(Boolean)) return;
    silent.delete(anchor);
    anchors.worked(anchor);
  }

  return {
    async run() {
      // A slow anchor holds up neither the others nor the next poll.
      const free = anchors.urls().filter((anchor) => !asked.has(anchor));
      await Promise.all(
        free.map(async (anchor) => {
          asked.add(anchor);
          await pollAnchor(anchor).finally(() => asked.delete(anchor));
        }),
      );
    },
  };
}
