import { canon1OfJson, type Json, sha256Hex } from "@darkmatter/core";
import { seededRandom } from "@darkmatter/core/testing";
import { describe, expect, test } from "vitest";
import { receiptText, type TakenReceipt } from "../../receipt.ts";
import { type AgentName, type ConversationOptions, makeConversation } from "../../testing/conversation.ts";
import { exportBundle } from "../../testing/export-bundle.ts";
import { verifyInline } from "../../testing/keys.ts";
import {
  START_S,
  type TestAct,
  type TestCommit,
  type TestLog,
  testClock,
  testLog,
} from "../../testing/test-log.ts";
import { type NamedBundle, verifyTogether } from "./verify-together.ts";

const { keys } = makeConversation({ seed: 1 });

async function problemsOf(options: Partial<ConversationOptions>): Promise<readonly string[]> {
  const conversation = makeConversation({ seed: 1, ...options });
  const names = ["ana", "bo", "cy"] as const;
  const files = await Promise.all(
    names.map(async (name) => ({ name, text: canon1OfJson(await conversation.bundleOf(name)) })),
  );
  const { bundles, problems } = await verifyTogether(files, verifyInline);
  expect(bundles.map(({ report }) => report.verdict)).toEqual(["verified", "verified", "verified"]);
  return problems.map(({ what }) => what);
}

/** What one agent writes down otherwise, so that its own bundle holds. */
function writing(who: AgentName, what: string, change: (act: TestAct, count: number) => TestAct) {
  let count = 0;
  return (name: AgentName, act: TestAct) => (name === who && act.act === what ? change(act, count++) : act);
}

/** One of the receipts that ana took of bo, signed anew by bo. */
function taking(which: number, change: Partial<TakenReceipt>) {
  return writing("ana", "receipt.taken", (act, count) => {
    if (count !== which) return act;
    const receipt = { ...(act.fields.receipt as unknown as TakenReceipt), ...change };
    const sig = keys.bo.sign(receiptText(receipt) ?? "");
    return { ...act, fields: { receipt: { ...receipt, sig } as unknown as Json } };
  });
}

const hiding =
  (...hidden: readonly (readonly [act: string, name: string])[]) =>
  (commit: TestCommit, name: string) =>
    !hidden.some((one) => one[0] === commit.act && one[1] === name);

const [STORED, READ] = [0, 1];

describe("an act of one agent and the commit it names", () => {
  const cases: readonly (readonly [
    title: string,
    problem: string | undefined,
    options: Partial<ConversationOptions>,
  ])[] = [
    ["agree", undefined, {}],
    ["agree about a receipt made anew", undefined, { writes: taking(STORED, { detail: null }) }],
    [
      "are the peer's",
      "it names a commit of another agent than its peer",
      {
        writes: writing("cy", "message.received", (act) => ({ ...act, peer: keys.ana.id })),
        discloses: hiding(["message.received", "signed"], ["receipt.taken", "receipt"]),
      },
    ],
    [
      "are both with each other",
      "the commit it names is of an act with another agent",
      { writes: writing("bo", "receipt.given", (act) => ({ ...act, peer: null })) },
    ],
    [
      "have the sender that the receipt says",
      "the commit it names is of an act with another agent",
      { writes: taking(STORED, { from_agent_id: keys.cy.id }) },
    ],
    [
      "are two sides of what the receipt is for",
      "the other side of receipt.taken cannot be message.received",
      { writes: taking(STORED, { rung: "asked" }) },
    ],
    [
      "have one detail of a receipt",
      "both sides hold another receipt",
      { writes: taking(READ, { detail: "another" }) },
    ],
    [
      "have one rung of a receipt",
      "both sides hold another receipt",
      { writes: taking(READ, { rung: "woken" }) },
    ],
    [
      "have the content that a receipt is for",
      "both sides hold another receipt",
      {
        writes: taking(STORED, { content_hash: sha256Hex("another") }),
        discloses: hiding(["message.sent", "content"]),
      },
    ],
    [
      "have the content that was signed",
      "both sides hold another signed content",
      {
        writes: writing("ana", "message.sent", (act) => ({
          ...act,
          fields: { ...act.fields, content: "another" },
        })),
        discloses: hiding(["message.received", "content"], ["receipt.taken", "receipt"]),
      },
    ],
  ];
  test.each(cases)("%s", async (_, problem, options) => {
    expect(await problemsOf(options)).toEqual(problem === undefined ? [] : [problem]);
  });
});

test("what a witness signed between two checkpoints of a bundle is led through by its history", async () => {
  const conversation = makeConversation({ seed: 1 });
  const { bo } = conversation.logs;
  // Not a step of the conversation: the bundle itself does not say what tree that was.
  const size = 5;
  const seen = bo.checkpoint({
    tree_size: size,
    log_position: size - 1,
    tree_root: bo.commits[size - 1]!.treeRoot,
    log_root: bo.commits[size - 1]!.logRoot,
    previous_cp_id: null,
    previous_tree_root: null,
  });
  const ana = await conversation.bundleOf("ana", { witnessed: [{ agentId: bo.key.id, checkpoint: seen }] });
  const files = [ana, await conversation.bundleOf("bo")].map((bundle, at) => ({
    name: `${at}`,
    text: canon1OfJson(bundle),
  }));

  const { problems } = await verifyTogether(files, verifyInline);
  expect(problems.map(({ what }) => what)).toEqual([
    `its witness signed ${seen.checkpoint_id}, which its history does not lead through`,
  ]);
});

/** What two agents wrote down, by trace, as verified files. */
async function filesOf(...logs: readonly TestLog[]): Promise<readonly NamedBundle[]> {
  const options = { covered: false, random: seededRandom(2), now: START_S + 100 };
  const all = logs.flatMap((log) =>
    [...new Set(log.commits.map(({ trace }) => trace))].map((trace) => ({ log, trace })),
  );
  return Promise.all(
    all.map(async ({ log, trace }) => {
      return {
        name: `${log.name} ${trace}`,
        text: canon1OfJson(await exportBundle(log, { ...options, trace })),
      };
    }),
  );
}

function twoLogs() {
  const [random, clock] = [seededRandom(1), testClock()];
  return { ana: testLog(keys.ana, "ana", random, clock), bo: testLog(keys.bo, "bo", random, clock) };
}

const messageAct = (what: string, message: string, peer: string, peerCommit?: string): TestAct => {
  return { act: `message.${what}`, trace: message, messageId: message, peer, peerCommit, fields: {} };
};

async function problemsIn(files: readonly NamedBundle[]): Promise<readonly string[]> {
  const { bundles, problems } = await verifyTogether(files, verifyInline);
  expect(bundles.every(({ report }) => report.verdict === "verified")).toBe(true);
  return problems.map(({ what }) => what);
}

test("a commit about one message does not name one about another", async () => {
  const { ana, bo } = twoLogs();
  const sent = ana.append(messageAct("sent", "x", bo.key.id));
  bo.append(messageAct("received", "y", ana.key.id, sent.hash));

  expect(await problemsIn(await filesOf(ana, bo))).toEqual(["the commit it names is of another message"]);
});

describe("commits that each name a later one of the other's", () => {
  /** Both say that they received a message before the other sent it: each names what is written only after. */
  function knotted(named: { readonly ofAna: string; readonly ofBo: string }) {
    const { ana, bo } = twoLogs();
    ana.append(messageAct("received", "x", bo.key.id, named.ofBo));
    bo.append(messageAct("received", "y", ana.key.id, named.ofAna));
    const ofAna = ana.append(messageAct("sent", "y", bo.key.id)).hash;
    const ofBo = bo.append(messageAct("sent", "x", ana.key.id)).hash;
    return { ana, bo, hashes: { ofAna, ofBo } };
  }

  test("can only have been written before what they name", async () => {
    // What was sent depends on nothing that was received: its hash is known beforehand.
    const { ana, bo } = knotted(knotted({ ofAna: sha256Hex("?"), ofBo: sha256Hex("?") }).hashes);
    expect(await problemsIn(await filesOf(ana, bo))).toEqual([
      "it names a commit that can only have been written after it",
    ]);
  });
});
