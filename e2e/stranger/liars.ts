import assert from "node:assert/strict";
import { canon1OfJson, type Json, type JsonObject, sha256Hex } from "@darkmatter/core";
import { seededRandom } from "@darkmatter/core/testing";
import {
  receiptText,
  type SignedMessage,
  signedMessageText,
  type TakenReceipt,
  verifyBundle,
} from "@darkmatter/proof";
import { makeConversation, remembering, testKey, verifyInline } from "@darkmatter/proof/testing";
import type { Checks } from "../checks.ts";
import { type PythonVerifier, startPythonVerifier } from "../mutations/python-verifier.ts";

const LIARS = 1200;
const SHORT_LIARS = 300;
const DEADLINE_MS = 240_000;
const NAMES = ["ana", "bo", "cy"] as const;
type TestKey = ReturnType<typeof testKey>;
type Options = Parameters<typeof makeConversation>[0];
type Act = Parameters<NonNullable<Options["writes"]>>[1];

/** Members of what is signed for which there is a text without them. */
const NULLABLE = ["to", "webhook", "metadata_hash", "commit", "detail"];

const DISCLOSURES: readonly NonNullable<Options["discloses"]>[] = [
  () => true,
  () => true,
  (_, name) => name !== "content" && name !== "response",
];

/**
 * Nodes whose ledgers are sound, each hash and signature as it should be, but say what was not so: a message from
 * another, for another, a receipt of other content. Two verifiers have to see the same in it.
 */
export async function checkLiars(checks: Checks, { short }: { readonly short: boolean }): Promise<void> {
  const count = short ? SHORT_LIARS : LIARS;
  await using python = startPythonVerifier();
  const failed = new Map<string, number>();
  await checks.check(
    `stranger: ${count} ledgers that say what was not so`,
    async () => {
      const differing: string[] = [];
      for (let seed = 1; seed <= count; seed++) {
        for (const found of await judged(seed, python)) {
          if (found.ours !== found.theirs)
            differing.push(`${found.lie}: ours ${found.ours}, Python's ${found.theirs}`);
          for (const phase of found.ours.split(" ")) failed.set(phase, (failed.get(phase) ?? 0) + 1);
        }
      }
      assert.deepEqual(differing.slice(0, 20), []);
      for (const phase of ["message_signatures", "receipts", "chain"])
        assert.ok(failed.get(phase), `${phase} never fails`);
    },
    DEADLINE_MS,
  );
  for (const [phase, times] of failed) checks.figure(`stranger.lies_${phase || "unseen"}`, times, "bundles");
}

const verify = remembering(verifyInline);

async function judged(seed: number, python: PythonVerifier) {
  const random = seededRandom(seed);
  const pick = <T>(list: readonly T[]): T =>
    list[random.bytes(2).reduce((sum, byte) => sum * 256 + byte, 0) % list.length] as T;
  const liar = pick(NAMES);
  const target = pick(["message.received", "message.answered", "receipt.taken", "message.sent"]);
  let lie = "";
  const talk = makeConversation({
    seed: seed % 7,
    scheme: pick(["dm_sig", "signature_hex"]),
    discloses: pick(DISCLOSURES),
    writes(name, act) {
      if (name !== liar || act.act !== target || lie) return act;
      const told = toldOtherwise(act, seed % 7, pick);
      lie = `${liar} ${target} ${told.what}`;
      return told.act;
    },
  });
  const bytes = new TextEncoder().encode(canon1OfJson(await talk.bundleOf(liar).catch(() => ({}))));
  const [{ phases }, theirs] = await Promise.all([verifyBundle(bytes, verify), python.ask(bytes)]);
  const ours = phases.filter(({ status }) => status === "fail").map(({ phase }) => phase);
  return lie ? [{ lie, ours: ours.sort().join(" "), theirs: theirs.failing.join(" ") }] : [];
}

type Pick = <T>(list: readonly T[]) => T;
type Lie = { readonly act: Act; readonly what: string };

/** One thing of an act altered, and what was signed in it signed anew by whom it names. */
function toldOtherwise(act: Act, seed: number, pick: Pick): Lie {
  const known = ["ana", "bo", "cy", "dee"].map((name) => testKey(`${name} ${seed}`));
  const values: readonly Json[] = [
    ...known.map(({ id }) => id),
    ...["", "a\nb", "dm_sig", "signature_hex", "reply", "read", "acted", "queued", sha256Hex("else")],
    ...["2026-09-21T14:00:00+02:00", "x".repeat(129), null, 5, true, {}, { commit: sha256Hex("else") }, []],
  ];
  const papers = ["signed", "receipt"].filter((name) => Object.hasOwn(act.fields, name));
  if (papers.length > 0 && pick([true, true, true, false])) {
    return forgedPaper(act, pick(papers), pick(values), { known, pick });
  }
  const field = pick([...papers, "content", "metadata", "response"]);
  const changes: readonly Partial<Record<keyof Act, unknown>>[] = [
    { act: pick(["message.sent", "message.received", "message.answered", "receipt.taken", "receipt.given"]) },
    { peer: pick(known).id },
    { peerCommit: pick([undefined, sha256Hex("else")]) },
    { messageId: pick([undefined, "a\nb", "msg-other"]) },
    { fields: { ...act.fields, [field]: pick(values) } },
  ];
  const change = pick(changes);
  return { act: { ...act, ...change } as Act, what: JSON.stringify(change) };
}

/** A signed message or a receipt, altered in one member, with the signature of the agent that it names. */
function forgedPaper(
  act: Act,
  field: string,
  value: Json,
  { known, pick }: { readonly known: readonly TestKey[]; readonly pick: Pick },
): Lie {
  const paper = act.fields[field] as JsonObject;
  const member = pick(Object.keys(paper));
  const altered = { ...paper, [member]: value };
  const isMessage = field === "signed";
  const signature = isMessage ? "signature" : "sig";
  const signer = known.find(({ id }) => id === (isMessage ? altered.from : altered.agent_id));
  const isWritten = Object.entries(altered).every(
    ([name, one]) => typeof one === "string" || (one === null && NULLABLE.includes(name)),
  );
  const text = isWritten ? textOf(altered, act) : undefined;
  if (signer && text !== undefined && member !== signature) altered[signature] = signer.sign(text);
  return {
    act: { ...act, fields: { ...act.fields, [field]: altered } },
    what: `${field}.${member} = ${JSON.stringify(value)}`,
  };
}

function textOf(paper: JsonObject, { fields, messageId }: Act): string | undefined {
  if (!("scheme" in paper)) return receiptText(paper as unknown as TakenReceipt);
  const word = fields.content ?? fields.response;
  const said = typeof word === "string" ? word : undefined;
  return signedMessageText(paper as unknown as SignedMessage, messageId ?? "", said);
}
