import { canonicalJson, type Json, type JsonObject, sha256Hex } from "@darkmatter/core";
import { describe, expect, test } from "vitest";
import { checkpointText, type SignedCheckpoint } from "../checkpoint.ts";
import { type SignedMessage, signedMessageText } from "../message-signatures.ts";
import { receiptText, type TakenReceipt } from "../receipt.ts";
import { type AgentName, type ConversationOptions, makeConversation } from "../testing/conversation.ts";
import { at, type Forge, failuresOf, put, type Rule, testRules } from "../testing/forged-bundle.ts";
import type { TestKey } from "../testing/keys.ts";
import type { TestAct } from "../testing/test-log.ts";

const OTHER = sha256Hex("other");
const { keys, messageId } = makeConversation({ seed: 1 });

/** An act that its agent writes down otherwise: everything about the commit holds. */
function writing(who: AgentName, what: string, change: (act: TestAct, count: number) => TestAct) {
  let count = 0;
  const writes = (name: AgentName, act: TestAct) =>
    name === who && act.act === what ? change(act, count++) : act;
  return { writes } satisfies Partial<ConversationOptions>;
}

const withFields = (act: TestAct, fields: JsonObject): TestAct => ({
  ...act,
  fields: { ...act.fields, ...fields },
});
const signedAt = (bundle: JsonObject, place: string) => at(bundle, place) as unknown as SignedCheckpoint;
const asIs: Forge = () => {};

describe("disclosures", () => {
  const salt = "disclosures.1.salt";
  testRules([
    [
      "open their commitments",
      { disclosures: 'the disclosed "metadata" is not what was committed to' },
      (bundle) => {
        expect(at(bundle, "disclosures.1.name")).toBe("metadata");
        put(bundle, salt, OTHER);
      },
    ],
    [
      "name a commit of the bundle",
      { disclosures: "no commit of this bundle has the hash that a disclosure names" },
      (bundle) => put(bundle, "disclosures.1.commit", OTHER),
    ],
    [
      "name a field of the commit",
      { disclosures: 'the disclosed "more" is not what was committed to' },
      (bundle) => put(bundle, "disclosures.1.name", "more"),
    ],
    [
      "are in the order of the commits",
      { disclosures: "disclosures are repeated or out of order" },
      (bundle) => {
        const all = bundle.disclosures as JsonObject[];
        put(bundle, "disclosures", [...all.slice(2), ...all.slice(0, 2)]);
      },
    ],
    [
      "are in the order of their names",
      { disclosures: "disclosures are repeated or out of order" },
      (bundle) => {
        const [content, metadata, ...rest] = bundle.disclosures as JsonObject[];
        put(bundle, "disclosures", [metadata!, content!, ...rest]);
      },
    ],
    [
      "are there once each",
      { disclosures: "disclosures are repeated or out of order" },
      (bundle) => {
        const all = bundle.disclosures as JsonObject[];
        put(bundle, "disclosures", [all[0]!, ...all]);
      },
    ],
  ]);
});

describe("a message's signature", () => {
  /** What bo keeps of it, signed anew by whoever it is said to be from. */
  const received = (change: Partial<SignedMessage>, by: TestKey | null = keys.ana, more: JsonObject = {}) =>
    writing("bo", "message.received", (act) => {
      const signed = { ...(act.fields.signed as unknown as SignedMessage), ...change };
      const text = signedMessageText(signed, messageId, String(act.fields.content));
      const signature = by && text !== undefined ? by.sign(text) : signed.signature;
      return withFields(act, { signed: { ...signed, signature } as unknown as Json, ...more });
    });
  const failing = (detail: string) => ({ message_signatures: detail });

  const cases: readonly (readonly [title: string, failures: Rule[1], options: Rule[3]])[] = [
    ["holds if it is made anew", {}, received({})],
    [
      "is over this message",
      failing("the sender's signature does not hold"),
      received({ signature: keys.ana.sign("another") }, null),
    ],
    [
      "is over this message, by the words themselves",
      failing("the sender's signature does not hold"),
      { scheme: "signature_hex", ...received({ signature: keys.ana.sign("another") }, null) },
    ],
    [
      "is the peer's",
      failing("it is signed by another agent than the peer"),
      received({ from: keys.cy.id }, keys.cy),
    ],
    ["is for this agent", failing("it is addressed to another agent"), received({ to: keys.cy.id })],
    [
      "is over the disclosed content",
      failing("the disclosed content is not what was signed"),
      received({ content_hash: OTHER }),
    ],
    [
      "is over the disclosed metadata",
      failing("the disclosed metadata are not what was signed"),
      received({ metadata_hash: OTHER }),
    ],
    [
      "is of a scheme that belongs to the act",
      failing("a signature of scheme reply does not belong to this act"),
      received({ scheme: "reply", to: null, webhook: null, metadata_hash: null }),
    ],
    [
      "has no unknown member",
      failing('signed: it has the unknown member "more"'),
      received({ more: 1 } as Partial<SignedMessage>),
    ],
    [
      "covers the commit that the sender names",
      failing("metadata.commit is not peer_commit"),
      received({ metadata_hash: sha256Hex(canonicalJson({ commit: OTHER })) }, keys.ana, {
        metadata: { commit: OTHER },
      }),
    ],
    [
      "covers that the sender names no commit",
      failing("metadata.commit is not peer_commit"),
      received({ metadata_hash: sha256Hex(canonicalJson({})) }, keys.ana, { metadata: {} }),
    ],
    [
      "covers that the sender's word for a commit is none",
      failing("metadata.commit is not peer_commit"),
      received({ metadata_hash: sha256Hex(canonicalJson({ commit: "-" })) }, keys.ana, {
        metadata: { commit: "-" },
      }),
    ],
  ];
  testRules(
    cases.map(([title, failures, options]): Rule => [title, failures, asIs, options]),
    "bo",
  );

  test("under a reply is over the response", async () => {
    const options = writing("ana", "message.answered", (act) => withFields(act, { response: "another" }));
    expect(await failuresOf(asIs, options)).toEqual(failing("the disclosed content is not what was signed"));
  });
});

describe("a receipt", () => {
  const nameOf = (id: string) => Object.values(keys).find((key) => key.id === id);

  /** One of those that ana took, signed anew by whoever gives it. */
  const taken = (change: (receipt: TakenReceipt) => object, which = 0, more: Partial<TestAct> = {}) =>
    writing("ana", "receipt.taken", (act, count) => {
      const before = act.fields.receipt as unknown as TakenReceipt;
      if (count !== which) return act;
      const receipt = { ...before, ...change(before) };
      const sig =
        receipt.sig === before.sig ? nameOf(receipt.agent_id)?.sign(receiptText(receipt) ?? "") : receipt.sig;
      return { ...withFields(act, { receipt: { ...receipt, sig } as unknown as Json }), ...more };
    });
  const failing = (detail: string) => ({ receipts: detail });

  testRules([
    ["holds if it is made anew", {}, asIs, taken(() => ({ detail: "again" }))],
    [
      "bears its giver's signature",
      failing("the receipt's signature does not hold"),
      asIs,
      taken(() => ({ sig: keys.bo.sign("another") })),
    ],
    [
      "comes from the peer",
      failing("the receipt is another agent's than the peer's"),
      asIs,
      taken(() => ({ agent_id: keys.cy.id })),
    ],
    [
      "is of this message",
      failing("the receipt is of another message"),
      asIs,
      taken(() => ({ message_id: "another" })),
    ],
    [
      "names the commit that peer_commit does",
      failing("the receipt names another commit than peer_commit"),
      asIs,
      taken(() => ({ commit: OTHER })),
    ],
    [
      "names no commit where there is no peer_commit",
      failing("the receipt names another commit than peer_commit"),
      asIs,
      taken(() => ({}), 0, { peerCommit: undefined }),
    ],
    [
      "is of the content that was sent",
      failing("the receipt is of another content"),
      asIs,
      taken(() => ({ content_hash: OTHER })),
    ],
    [
      "is of its rung once",
      failing('the agent gave a receipt "stored" before'),
      asIs,
      taken(() => ({ rung: "stored" }), 1),
    ],
    ["of the same rung may come from another agent", {}, asIs, taken(() => ({}), 1)],
    [
      "belongs to the act of taking it",
      failing("a receipt does not belong to this act"),
      asIs,
      taken(() => ({}), 0, { act: "receipt.given" }),
    ],
    ["has no other members", failing("it has not the form of a receipt"), asIs, taken(() => ({ more: 1 }))],
  ]);
});

describe("what a log witnessed", () => {
  testRules([
    [
      "was signed by the agent whose it is",
      { witnessed: "the checkpoint's form or its agent's signature does not hold" },
      (bundle) => put(bundle, "witnessed.0.checkpoint.server_sig", keys.bo.sign("another")),
    ],
    [
      "is named after the log whose it is",
      { witnessed: "the checkpoint's form or its agent's signature does not hold" },
      (bundle) => {
        const renamed = { ...signedAt(bundle, "witnessed.0.checkpoint"), checkpoint_id: "cp_1_00000000" };
        const text = checkpointText(renamed);
        put(bundle, "witnessed.0.checkpoint", {
          ...renamed,
          server_sig: keys.bo.sign(text),
        } as unknown as Json);
        put(bundle, "witnessed.0.witness_sig", keys.ana.sign(text));
      },
    ],
    [
      "was signed by the log as its witness",
      { witnessed: "this log's witness signature does not hold" },
      (bundle) => put(bundle, "witnessed.0.witness_sig", keys.ana.sign("another")),
    ],
  ]);
});

describe("evidence", () => {
  const splits = { splits: true };
  const unsigned = { evidence: "the accused did not sign both checkpoints" };
  testRules([
    [
      "is of two checkpoints that cannot both be true",
      { evidence: "both checkpoints can be true: it is no evidence" },
      (bundle) => put(bundle, "evidence.0.second", at(bundle, "evidence.0.first")),
      splits,
    ],
    ...["first", "second"].map(
      (which): Rule => [
        `holds a ${which} checkpoint that the accused signed`,
        unsigned,
        (bundle) => put(bundle, `evidence.0.${which}.server_sig`, keys.dee.sign("another")),
        splits,
      ],
    ),
    [
      "is not what the accused signed as a witness",
      unsigned,
      (bundle) => {
        for (const which of ["evidence.0.first", "evidence.0.second"]) {
          const renamed = { ...signedAt(bundle, which), checkpoint_id: "cp_1_00000000" };
          const server_sig = keys.dee.sign(checkpointText(renamed));
          put(bundle, which, { ...renamed, server_sig } as unknown as Json);
        }
      },
      splits,
    ],
    ["accuses who signed", unsigned, (bundle) => put(bundle, "evidence.0.agent_id", keys.cy.id), splits],
  ]);
});
