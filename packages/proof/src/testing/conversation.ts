import { canonicalJson, type Json, type JsonObject, type Random, sha256Hex, toHex } from "@darkmatter/core";
import { seededRandom } from "@darkmatter/core/testing";
import type { SignedCheckpoint } from "../checkpoint.ts";
import { signedMessageText } from "../message-signatures.ts";
import { type Receipt, receiptText } from "../receipt.ts";
import { exportBundle, type Surroundings } from "./export-bundle.ts";
import { type TestKey, testKey } from "./keys.ts";
import {
  millisecondsText,
  START_S,
  type TestAct,
  type TestCommit,
  type TestLog,
  testClock,
  testLog,
} from "./test-log.ts";

export interface ConversationOptions {
  readonly seed: number;
  /** How often an answer follows the message. Each is a step more for both. Default 1. */
  readonly answers?: number;
  /** `signature_hex`: the message's signature does not cover its hashes. Default `dm_sig`. */
  readonly scheme?: "dm_sig" | "signature_hex";
  /** Default: every field. */
  readonly discloses?: (commit: TestCommit, name: string) => boolean;
  /** Whether the others witness each log. Default true. */
  readonly witnessed?: boolean;
  /** Whether dee, who hears the message too, shows two histories, and ana and bo know. Default false. */
  readonly splits?: boolean;
  /** What an agent writes down instead: another history of the same conversation. */
  readonly writes?: (name: AgentName, act: TestAct) => TestAct;
  /** Whether checkpoints cover everything. Default true. */
  readonly covered?: boolean;
}

export type AgentName = "ana" | "bo" | "cy" | "dee";

/** Agents that talked: ana wrote to bo and to dee, bo answered and forwarded the message to cy. */
export interface Conversation {
  readonly messageId: string;
  readonly logs: Readonly<Record<AgentName, TestLog>>;
  readonly keys: Readonly<Record<AgentName, TestKey>>;
  /** As that agent's node exports it. */
  bundleOf(name: AgentName, changes?: Partial<Surroundings>): Promise<JsonObject>;
}

/** What is said holds what JSON can hold: floats, escapes, characters beyond the first plane. */
const CONTENT = 'Prove it: "ä\u{1f600}\\ \u0001"';

export function makeConversation(options: ConversationOptions): Conversation {
  const { seed, answers = 1, covered = true, splits = false } = options;
  const random = seededRandom(seed);
  const clock = testClock();
  const keyOf = (name: string) => testKey(`${name} ${seed}`);
  const keys = { ana: keyOf("ana"), bo: keyOf("bo"), cy: keyOf("cy"), dee: keyOf("dee") };
  const logOf = (name: AgentName) => {
    const log = testLog(keys[name], name, random, clock);
    return { ...log, append: (act: TestAct) => log.append(options.writes?.(name, act) ?? act) };
  };
  const logs = { ana: logOf("ana"), bo: logOf("bo"), cy: logOf("cy"), dee: logOf("dee") };
  const messageId = `msg-${toHex(random.bytes(8))}`;
  const talk = createTalk(messageId, random, options);
  const { ana, bo, cy, dee } = logs;

  const everybody = [ana, bo, cy, dee];
  const checkpoints = () => {
    for (const log of everybody) if (log.commits.length > 0) log.checkpoint();
  };

  for (const log of everybody) talk.chatter(log);
  checkpoints();
  const sent = talk.send(ana, bo);
  talk.send(ana, dee);
  checkpoints();
  const forwarded = talk.forward(bo, cy, ana.key.id);
  talk.chatter(bo);
  talk.receipt(cy, bo, "stored", forwarded);
  checkpoints();
  for (let answer = 0; answer < answers; answer++) talk.answer(bo, ana, answer === 0);
  checkpoints();
  for (const log of everybody) talk.chatter(log);
  if (covered) checkpoints();

  const split = splits ? splitHistory(dee) : undefined;
  return {
    ...{ messageId, logs, keys },
    bundleOf: (name, changes) =>
      exportBundle(logs[name], {
        ...surroundingsOf(logs[name], everybody, options.witnessed ?? true),
        ...(split && ["ana", "bo"].includes(name) && { evidence: [split] }),
        ...(options.discloses && { discloses: options.discloses }),
        ...changes,
        ...{ trace: sent.trace, covered, random, now: START_S + 100_000 },
      }),
  };
}

/** Everybody witnesses everybody, but never itself. */
function surroundingsOf(log: TestLog, all: readonly TestLog[], isWitnessed: boolean): Surroundings {
  const others = all.filter((other) => other !== log);
  const last = (other: TestLog) => other.checkpoints.at(-1);
  return {
    witnesses: isWitnessed ? others.slice(0, 2) : [],
    witnessed: isWitnessed
      ? others.flatMap((other) => {
          const checkpoint = last(other);
          return checkpoint ? [{ agentId: other.key.id, checkpoint }] : [];
        })
      : [],
    evidence: [],
  };
}

function splitHistory(log: TestLog) {
  const first = log.checkpoints.at(-1);
  if (!first) throw new RangeError("no checkpoint to contradict");
  const { server_sig: _, position: __, ...envelope } = first;
  const second: SignedCheckpoint = log.checkpoint({ ...envelope, tree_root: sha256Hex("another history") });
  return { agentId: log.key.id, first, second };
}

function createTalk(messageId: string, random: Random, { scheme = "dm_sig" }: ConversationOptions) {
  let moment = 0;
  const now = () => millisecondsText(START_S + moment++);
  const act = { trace: messageId, messageId };

  /** An act of another trace: leaves in between. */
  function chatter(log: TestLog): void {
    const peer = testKey(`stranger ${toHex(random.bytes(2))}`).id;
    log.append({ act: "connection.opened", trace: peer, peer, fields: { url: "http://127.0.0.1:1/" } });
  }

  function receive(to: TestLog, from: TestLog, commit: TestCommit, metadata: Json): TestCommit {
    const signed = {
      scheme,
      from: from.key.id,
      to: scheme === "dm_sig" ? to.key.id : null,
      timestamp: now(),
      webhook: scheme === "dm_sig" ? "http://127.0.0.1:1/hook" : null,
      content_hash: sha256Hex(CONTENT),
      metadata_hash: scheme === "dm_sig" ? sha256Hex(canonicalJson(metadata)) : null,
    };
    const signature = from.key.sign(signedMessageText(signed, messageId, CONTENT) ?? "");
    return to.append({
      ...act,
      act: "message.received",
      peer: from.key.id,
      peerCommit: commit.hash,
      fields: { content: CONTENT, metadata, signed: { ...signed, signature } },
    });
  }

  function receipt(from: TestLog, to: TestLog, rung: Receipt["rung"], commit: TestCommit): void {
    const receipt = {
      agent_id: from.key.id,
      message_id: messageId,
      from_agent_id: to.key.id,
      content_hash: sha256Hex(CONTENT),
      ...{ rung, at: now(), commit: commit.hash, detail: rung === "acted" ? "replied" : null },
    };
    to.append({
      ...act,
      act: "receipt.taken",
      peer: from.key.id,
      peerCommit: commit.hash,
      fields: { receipt: { ...receipt, sig: from.key.sign(receiptText(receipt) ?? "") } },
    });
  }

  function giveReceipt(from: TestLog, to: TestLog, rung: Receipt["rung"]): void {
    const fields = { rung, detail: null };
    const commit = from.append({ ...act, act: "receipt.given", peer: to.key.id, fields });
    receipt(from, to, rung, commit);
  }

  function send(from: TestLog, to: TestLog): TestCommit {
    const metadata = { receipts: 1, weight: 1.5, note: "π", "\u{1f600}": [null, true, 1e21] };
    const fields = { content: CONTENT, metadata };
    const sent = from.append({ ...act, act: "message.sent", peer: to.key.id, fields });
    const received = receive(to, from, sent, { ...metadata, commit: sent.hash });
    receipt(to, from, "stored", received);
    giveReceipt(to, from, "read");
    return sent;
  }

  function forward(from: TestLog, to: TestLog, origin: string): TestCommit {
    const fields = { from: origin };
    const forwarded = from.append({ ...act, act: "message.forwarded", peer: to.key.id, fields });
    return receive(to, from, forwarded, { commit: forwarded.hash });
  }

  function answer(from: TestLog, to: TestLog, isFirst: boolean): void {
    const response = `Proven, at ${moment}.`;
    const answered = { ...act, act: "message.answered" };
    const fields = { response, direction: "outbound" };
    const commit = from.append({ ...answered, peer: to.key.id, fields });
    const signed = {
      scheme: "reply" as const,
      from: from.key.id,
      ...{ to: null, webhook: null, metadata_hash: null },
      timestamp: now(),
      content_hash: sha256Hex(response),
    };
    const signature = from.key.sign(signedMessageText(signed, messageId, response) ?? "");
    to.append({
      ...answered,
      peer: from.key.id,
      peerCommit: commit.hash,
      fields: { response, direction: "inbound", signed: { ...signed, signature } },
    });
    if (isFirst) receipt(from, to, "acted", commit);
  }

  return { chatter, send, forward, answer, receipt };
}

/** The bundle of ana, whose chain has five steps and one more for each answer. */
export function makeBundle(options: ConversationOptions): Promise<JsonObject> {
  return makeConversation(options).bundleOf("ana");
}
