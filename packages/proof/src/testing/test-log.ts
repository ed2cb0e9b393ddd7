import { canon1OfJson, type Json, type JsonObject, type Random, sha256Hex, toHex } from "@darkmatter/core";
import {
  type CommitEnvelope,
  chainHashV1,
  chainHashV2,
  commitEnvelope,
  envelopeText,
  leafHash,
  logRootAfter,
} from "../chain.ts";
import { type Checkpoint, checkpointTag, checkpointText, type SignedCheckpoint } from "../checkpoint.ts";
import { fieldCommitment } from "../commitment.ts";
import { appendLeaf, type Frontier, type ReadNode, rootOf } from "../merkle.ts";
import type { TestKey } from "./keys.ts";

/** An act, as a node's journal takes it. */
export interface TestAct {
  readonly act: string;
  readonly trace: string;
  readonly peer: string | null;
  readonly messageId?: string;
  readonly peerCommit?: string | undefined;
  readonly fields: Readonly<Record<string, Json>>;
  /** What it follows, if not the last commit of its trace. */
  readonly parent?: TestCommit | null;
}

export interface TestCommit extends TestAct {
  readonly id: string;
  readonly position: number;
  /** Seconds, with Z. */
  readonly time: string;
  readonly parent: TestCommit | null;
  readonly payload: JsonObject;
  readonly payloadHash: string;
  readonly scheme1: string;
  /** Scheme 2. */
  readonly hash: string;
  readonly envelope: CommitEnvelope;
  readonly leaf: string;
  readonly salts: Readonly<Record<string, string>>;
  /** Of the log, right after this commit. */
  readonly treeRoot: string;
  readonly logRoot: string;
}

/** A node's log, kept in memory. */
export interface TestLog {
  readonly key: TestKey;
  readonly name: string;
  readonly commits: readonly TestCommit[];
  readonly checkpoints: readonly SignedCheckpoint[];
  readonly readNode: ReadNode;
  append(act: TestAct): TestCommit;
  /** Signs the log's state, or a false one. */
  checkpoint(changes?: Partial<Checkpoint>): SignedCheckpoint;
}

/** Every clock of a test stands at this second, and goes on by one with each act of anybody. */
export interface TestClock {
  seconds(): number;
}

export const START_S = 1_790_000_000;

export function testClock(): TestClock {
  let now = START_S;
  return { seconds: () => now++ };
}

export const secondsText = (seconds: number) => `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;
export const millisecondsText = (seconds: number) => new Date(seconds * 1000).toISOString();

export function testLog(key: TestKey, name: string, random: Random, clock: TestClock): TestLog {
  const commits: TestCommit[] = [];
  const checkpoints: SignedCheckpoint[] = [];
  const tips = new Map<string, TestCommit>();
  const nodes: string[][] = [[]];
  let frontier: Frontier = [];

  function place(leaf: string): string {
    const { frontier: next, completed } = appendLeaf(frontier, commits.length, leaf);
    frontier = next;
    for (const [level, hash] of [leaf, ...completed].entries()) {
      nodes[level] ??= [];
      nodes[level].push(hash);
    }
    return rootOf(frontier);
  }

  function append(act: TestAct): TestCommit {
    const parent = act.parent ?? tips.get(act.trace) ?? null;
    const seconds = clock.seconds();
    const time = secondsText(seconds);
    const id = `ctx_${seconds * 1000}_${toHex(random.bytes(6))}`;
    const { payload, salts } = payloadOf(act, random);
    const payloadHash = sha256Hex(canon1OfJson(payload));
    const envelope = commitEnvelope({
      agentId: key.id,
      keyId: "default",
      timestamp: time,
      payloadHash,
      parentIntegrityHash: parent?.hash ?? null,
    });
    const hash = chainHashV2(envelopeText(envelope));
    const position = commits.length;
    const leaf = leafHash({ accepted_at: time, commit_id: id, integrity_hash: hash, log_position: position });
    const commit: TestCommit = {
      ...act,
      ...{ id, position, time, parent, payload, payloadHash, hash, envelope, leaf, salts },
      scheme1: chainHashV1(payloadHash, parent?.scheme1 ?? null),
      treeRoot: place(leaf),
      logRoot: logRootAfter(commits.at(-1)?.logRoot ?? null, hash),
    };
    commits.push(commit);
    tips.set(act.trace, commit);
    return commit;
  }

  function checkpoint(changes: Partial<Checkpoint> = {}): SignedCheckpoint {
    const last = commits.at(-1);
    if (!last) throw new RangeError("a log without commits has no checkpoint");
    const seconds = clock.seconds();
    const before = checkpoints.at(-1);
    const envelope: Checkpoint = {
      checkpoint_id: `cp_${seconds * 1000}_${checkpointTag(key.id)}`,
      log_position: last.position,
      log_root: last.logRoot,
      previous_cp_id: before?.checkpoint_id ?? null,
      previous_tree_root: before?.tree_root ?? null,
      schema_version: "3",
      timestamp: secondsText(seconds),
      tree_root: last.treeRoot,
      tree_size: commits.length,
      ...changes,
    };
    const server_sig = key.sign(checkpointText(envelope));
    const signed = { ...envelope, server_sig, position: envelope.log_position };
    if (Object.keys(changes).length === 0) checkpoints.push(signed);
    return signed;
  }

  return {
    ...{ key, name, commits, checkpoints, append, checkpoint },
    readNode: async (level, index) => nodes[level]?.[index] ?? "",
  };
}

function payloadOf({ act, fields, messageId, peer, peerCommit }: TestAct, random: Random) {
  const salts = Object.fromEntries(Object.keys(fields).map((name) => [name, toHex(random.bytes(32))]));
  const commitments = Object.entries(fields).map(([name, value]) => [
    name,
    fieldCommitment({ salt: salts[name]!, name, value }),
  ]);
  const payload: JsonObject = {
    act,
    peer,
    fields: Object.fromEntries(commitments),
    ...(messageId !== undefined && { message_id: messageId }),
    ...(peerCommit !== undefined && { peer_commit: peerCommit }),
  };
  return { payload, salts };
}
