import { canon1, type ExactJson, type ExactObject, sha256Hex } from "@darkmatter/core";
import { isObject } from "../disclosed.ts";
import type { Entries, Entry } from "./entries.ts";
import type { Problem } from "./statement.ts";

/** Two commits of one act: the one that names, and the one it names. */
export interface Pair {
  readonly naming: Entry;
  readonly named: Entry;
}

/** Looks each `peer_commit` up among the other files' commits, and compares both sides. */
export function pairsOf(entries: Entries): { pairs: readonly Pair[]; problems: readonly Problem[] } {
  const pairs: Pair[] = [];
  const problems: Problem[] = [];
  for (const naming of entries.all) {
    const { peer_commit } = naming.said.payload;
    const named = peer_commit === undefined ? undefined : entries.byHash(peer_commit);
    if (!named) continue;
    const what = mismatchOf(naming, named);
    if (what === undefined) pairs.push({ naming, named });
    else
      problems.push({
        files: [naming.side.file, named.side.file],
        agentId: naming.side.agentId,
        commit: naming.said.commit,
        what,
      });
  }
  return { pairs, problems };
}

function mismatchOf(naming: Entry, named: Entry): string | undefined {
  const [one, other] = [naming.said.payload, named.said.payload];
  if (one.peer !== named.side.agentId) return "it names a commit of another agent than its peer";
  if (!isWith(named, naming)) return "the commit it names is of an act with another agent";
  if (one.message_id !== other.message_id) return "the commit it names is of another message";
  if (!otherSides(naming).includes(other.act)) return `the other side of ${one.act} cannot be ${other.act}`;
  return differingField(naming, named);
}

/** Whether the act that was named is one with the agent that names it, or may be with another. */
function isWith(named: Entry, naming: Entry): boolean {
  const { act, peer } = named.said.payload;
  if (naming.said.payload.act !== "receipt.taken") return peer === naming.side.agentId;
  // The author of a forwarded message gets receipts of whoever holds it: that one had it from the forwarder, whom the
  // receipt names, or passed it on to the next.
  if (act === "message.forwarded") return true;
  if (act !== "message.received") return peer === naming.side.agentId;
  const receipt = naming.disclosed.get("receipt");
  return !isObject(receipt) || receipt.get("from_agent_id") === peer;
}

/** What the commit that an act names can be (docs/proof.md, "Several bundles together"). */
function otherSides({ said: { payload }, disclosed }: Entry): readonly string[] {
  switch (payload.act) {
    case "message.received":
      return ["message.sent", "message.forwarded"];
    case "receipt.taken":
      return receiptSides(disclosed.get("receipt"));
    default:
      return [payload.act];
  }
}

function receiptSides(receipt: ExactJson | undefined): readonly string[] {
  const acted = ["message.answered", "message.forwarded"];
  if (!isObject(receipt)) return ["message.received", ...acted, "receipt.given"];
  const rung = receipt.get("rung");
  if (rung === "stored") return ["message.received"];
  return rung === "acted" ? acted : ["receipt.given"];
}

/** Disclosed values that both sides hold. */
function differingField(naming: Entry, named: Entry): string | undefined {
  const [one, other] = [naming.disclosed, named.disclosed];
  const isMessage =
    naming.said.payload.act === "message.received" && named.said.payload.act === "message.sent";
  const claims: readonly (readonly [holds: boolean, name: string])[] = [
    [!isMessage || isEqual(one.get("content"), other.get("content")), "content"],
    [!isMessage || isEqual(withoutCommit(one.get("metadata")), other.get("metadata")), "metadata"],
    [isEqual(one.get("response"), other.get("response")), "response"],
    [agreesWithHash(one.get("signed"), other.get("content") ?? other.get("response")), "signed content"],
    [agreesWithReceipt(one.get("receipt"), other), "receipt"],
  ];
  const wrong = claims.find(([holds]) => !holds)?.[1];
  return wrong === undefined ? undefined : `both sides hold another ${wrong}`;
}

function isEqual(one: ExactJson | undefined, other: ExactJson | undefined): boolean {
  return one === undefined || other === undefined || canon1(one) === canon1(other);
}

/** The sender's side of the metadata: before it put its commit's hash in. */
function withoutCommit(metadata: ExactJson | undefined): ExactJson | undefined {
  if (!isObject(metadata)) return metadata;
  return new Map([...metadata].filter(([name]) => name !== "commit"));
}

function agreesWithHash(holder: ExactJson | undefined, content: ExactJson | undefined): boolean {
  if (!isObject(holder) || typeof content !== "string") return true;
  return holder.get("content_hash") === sha256Hex(content);
}

/** A receipt against the commit it names: the words that were received, or what was written down as given. */
function agreesWithReceipt(receipt: ExactJson | undefined, other: ReadonlyMap<string, ExactJson>): boolean {
  if (!isObject(receipt)) return true;
  const given = ["rung", "detail"].every((name) => isEqual(receiptMember(receipt, name), other.get(name)));
  return given && agreesWithHash(receipt, other.get("content"));
}

const receiptMember = (receipt: ExactObject, name: string) => receipt.get(name);
