import { canon1, type ExactJson } from "@darkmatter/core";
import { isObject } from "../disclosed.ts";
import type { Entry } from "./entries.ts";
import type { Pair } from "./pairs.ts";
import type { Proof, Statement } from "./statement.ts";

/** What the files together say of each commit. `pairs` are the two sides of acts; `order` all commits. */
export function statementsOf(order: readonly Entry[], pairs: readonly Pair[]): readonly Statement[] {
  const named = Map.groupBy(pairs, ({ named: entry }) => entry);
  const naming = new Map(pairs.map((pair) => [pair.naming, pair]));
  const receipts = receiptsOf(order);
  return order.map((entry) => {
    const provenBy = [
      ...checkpointProof(entry),
      ...[naming.get(entry)?.named, ...(named.get(entry) ?? []).map((pair) => pair.naming)]
        .filter((other) => other !== undefined)
        .flatMap((other) => [otherSide(other), ...signatureOf(other, entry.side.agentId)]),
      ...signatureOf(entry, entry.said.payload.peer),
      ...receiptsFor(receipts, entry),
    ];
    return { ...factsOf(entry), provenBy, notProven: notProvenOf(entry, provenBy) };
  });
}

function factsOf({ disclosed, position, said, side }: Entry): Omit<Statement, "provenBy" | "notProven"> {
  const { passport, flat } = said.step;
  const { act, message_id, peer } = said.payload;
  const content = disclosed.get("content") ?? disclosed.get("response");
  return {
    id: passport.id,
    commit: said.commit,
    file: side.file,
    agentId: side.agentId,
    agentName: passport.created_by.agent_name,
    ...{ act, peer },
    messageId: message_id ?? null,
    at: flat.timestamp,
    position,
    content: typeof content === "string" ? content : null,
    disclosed: [...disclosed].map(([name, value]) => ({ name, value: textOf(value) })),
  };
}

const textOf = (value: ExactJson) => (typeof value === "string" ? value : canon1(value));

function checkpointProof({ side: { bundle } }: Entry): Proof[] {
  const { checkpoint } = bundle;
  if (!checkpoint) return [];
  const witnesses = checkpoint.witness_signatures.map(({ witness_id }) => witness_id);
  return [{ kind: "checkpoint", id: checkpoint.checkpoint_id, size: checkpoint.tree_size, witnesses }];
}

function otherSide({ said, side }: Entry): Proof {
  return { kind: "other side", agentId: side.agentId, commit: said.commit, file: side.file };
}

/** The signature that an entry keeps of that agent's. Whether it holds was checked with its bundle. */
function signatureOf({ disclosed, said, side }: Entry, signer: string | null): Proof[] {
  const signed = disclosed.get("signed");
  if (!isObject(signed) || signed.get("from") !== signer || signer === null) return [];
  const scheme = String(signed.get("scheme"));
  const words = scheme === "reply" ? "response" : "content";
  // Of these schemes the words are needed to check it.
  if (scheme !== "dm_sig" && !said.disclosed.has(words)) return [];
  return [{ kind: "signature", agentId: signer, scheme, file: side.file }];
}

/** Receipts by what they prove: the commits of their sender for that message and peer, and the one they name. */
function receiptsOf(order: readonly Entry[]): ReadonlyMap<string, readonly Proof[]> {
  const found = order.flatMap(({ disclosed, said, side }): [string, Proof][] => {
    const receipt = disclosed.get("receipt");
    const { act, peer, message_id, peer_commit } = said.payload;
    if (act !== "receipt.taken" || !isObject(receipt) || peer === null) return [];
    const [rung, at] = [String(receipt.get("rung")), String(receipt.get("at"))];
    const proof: Proof = { kind: "receipt", agentId: peer, rung, at, file: side.file };
    const ofSender: [string, Proof] = [JSON.stringify([side.agentId, peer, message_id]), proof];
    return peer_commit === undefined ? [ofSender] : [ofSender, [peer_commit, proof]];
  });
  const byProven = Map.groupBy(found, ([proven]) => proven);
  return new Map([...byProven].map(([proven, ones]) => [proven, ones.map(([, proof]) => proof)]));
}

function receiptsFor(
  receipts: ReadonlyMap<string, readonly Proof[]>,
  { said, side }: Entry,
): readonly Proof[] {
  const { act, peer, message_id } = said.payload;
  const isSent = act === "message.sent" || act === "message.forwarded";
  const ofSender = isSent ? receipts.get(JSON.stringify([side.agentId, peer, message_id])) : undefined;
  return [...(ofSender ?? []), ...(receipts.get(said.commit) ?? [])];
}

function notProvenOf({ disclosed, said, side }: Entry, provenBy: readonly Proof[]): readonly string[] {
  const { act, fields, peer, peer_commit } = said.payload;
  const others = provenBy.filter((proof) => proof.kind !== "checkpoint");
  const closed = [...fields.keys()].filter((name) => !disclosed.has(name));
  const isHeard = provenBy.some(({ kind }) => kind === "other side");
  const isWitnessed = provenBy.some((proof) => proof.kind === "checkpoint" && proof.witnesses.length > 0);
  const sentences: readonly (readonly [when: boolean, sentence: string])[] = [
    [closed.length > 0, `what it holds as ${closed.join(", ")}: not disclosed`],
    [peer !== null && others.length === 0, "that the other agent had part in it: nothing of its own says so"],
    [
      ["message.sent", "message.forwarded"].includes(act) && others.length === 0,
      "that it arrived: there is no receipt for it, and no file of the other side",
    ],
    [
      peer_commit !== undefined && !isHeard,
      "the other agent's commit that it names: it is in none of these files",
    ],
    [!isWitnessed, "that its log was not written anew since: no witness signed over it"],
    [side.bundle.checkpoint === null, "that it is part of the log: no checkpoint covers it"],
  ];
  return sentences.filter(([isTrue]) => isTrue).map(([, sentence]) => sentence);
}
