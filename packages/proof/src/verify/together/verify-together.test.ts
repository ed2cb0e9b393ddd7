import { canon1OfJson, type JsonObject } from "@darkmatter/core";
import { describe, expect, test } from "vitest";
import { checkpointTag } from "../../checkpoint.ts";
import { type AgentName, type ConversationOptions, makeConversation } from "../../testing/conversation.ts";
import { verifyInline } from "../../testing/keys.ts";
import type { TestCommit } from "../../testing/test-log.ts";
import { verifyBundle } from "../verify-bundle.ts";
import type { Proof, Statement } from "./statement.ts";
import { type NamedBundle, verifyTogether } from "./verify-together.ts";

async function filesOf(options: ConversationOptions, ...names: AgentName[]): Promise<NamedBundle[]> {
  const conversation = makeConversation(options);
  return Promise.all(
    names.map(async (name) => ({ name, text: canon1OfJson(await conversation.bundleOf(name)) })),
  );
}

const nameOf = (seed: number, agentId: string | null) => {
  const { keys } = makeConversation({ seed });
  return (Object.keys(keys) as AgentName[]).find((name) => keys[name].id === agentId) ?? "";
};

const whats = (problems: readonly { readonly what: string }[]) => problems.map(({ what }) => what);
const kinds = ({ provenBy }: Statement) => provenBy.map((proof: Proof) => proof.kind);

describe("bundles of all sides", () => {
  test("prove who said what to whom, in the order it happened", async () => {
    const report = await verifyTogether(await filesOf({ seed: 1 }, "cy", "ana", "bo"), verifyInline);

    expect(report.problems).toEqual([]);
    expect(report.verdict).toBe("verified");
    const said = report.statements
      .filter(({ act }) => act.startsWith("message."))
      .map(({ agentId, act, peer, content }) => [
        nameOf(1, agentId),
        act,
        nameOf(1, peer),
        content?.slice(0, 8),
      ]);
    expect(said).toEqual([
      ["ana", "message.sent", "bo", "Prove it"],
      ["bo", "message.received", "ana", "Prove it"],
      ["ana", "message.sent", "dee", "Prove it"],
      ["bo", "message.forwarded", "cy", undefined],
      ["cy", "message.received", "bo", "Prove it"],
      ["bo", "message.answered", "ana", "Proven, "],
      ["ana", "message.answered", "bo", "Proven, "],
    ]);
  });

  test("say of each act by what it is proven", async () => {
    const { statements } = await verifyTogether(await filesOf({ seed: 1 }, "ana", "bo"), verifyInline);
    const first = (act: string) => statements.find((one) => one.act === act)!;

    const sent = first("message.sent");
    expect(new Set(kinds(sent))).toEqual(new Set(["checkpoint", "other side", "signature", "receipt"]));
    expect(sent.notProven).toEqual([]);
    expect(new Set(kinds(first("message.received")))).toEqual(new Set(kinds(sent)));
    expect(kinds(first("message.answered"))).toContain("signature");
  });

  test("say of each act what is not proven", async () => {
    const options = {
      seed: 1,
      witnessed: false,
      discloses: (_: unknown, name: string) => name === "response",
    };
    const { verdict, statements } = await verifyTogether(await filesOf(options, "ana"), verifyInline);

    const [sent] = statements;
    expect(verdict).toBe("verified");
    expect(kinds(sent!)).toEqual(["checkpoint"]);
    expect(sent!.content).toBeNull();
    expect(sent!.notProven).toEqual([
      "what it holds as content, metadata: not disclosed",
      "that the other agent had part in it: nothing of its own says so",
      "that it arrived: there is no receipt for it, and no file of the other side",
      "that its log was not written anew since: no witness signed over it",
    ]);
  });

  test("do not count a signature over words that stay closed", async () => {
    const closed = (_: unknown, name: string) => name !== "content";
    for (const [discloses, expected] of [
      [closed, false],
      [() => true, true],
    ] as const) {
      const files = await filesOf({ seed: 1, scheme: "signature_hex", discloses }, "bo");
      const { statements } = await verifyTogether(files, verifyInline);
      const received = statements.find(({ act }) => act === "message.received")!;
      expect(kinds(received).includes("signature")).toBe(expected);
    }
  });

  test("are compared by what each commit names of the other's", async () => {
    const lies: [string, ConversationOptions["writes"]][] = [
      [
        "both sides hold another content",
        changing("bo", "message.received", (act) => withField(act, "content", "x")),
      ],
      [
        "both sides hold another metadata",
        changing("bo", "message.received", (act) => withField(act, "metadata", {})),
      ],
      [
        "both sides hold another response",
        changing("bo", "message.answered", (act) => withField(act, "response", "x")),
      ],
      [
        "the commit it names is of an act with another agent",
        changing("bo", "message.forwarded", (act) => ({ ...act, peer: null })),
      ],
      [
        "the other side of message.received cannot be message.answered",
        changing("bo", "message.forwarded", (act) => ({ ...act, act: "message.answered" })),
      ],
    ];
    for (const [what, writes] of lies) {
      // What bo signed of the others' commits is checked in its own file: here nothing of it is shown.
      const discloses = (_: unknown, name: string) => !["signed", "receipt"].includes(name);
      const files = await filesOf({ seed: 1, discloses, ...(writes && { writes }) }, "ana", "bo", "cy");
      const { verdict, problems } = await verifyTogether(files, verifyInline);
      expect([verdict, whats(problems)]).toEqual(["failed", expect.arrayContaining([what])]);
    }
  });

  test("of which one fails are not proven, and the file is named", async () => {
    const [ana, bo] = await filesOf({ seed: 1 }, "ana", "bo");
    const damaged = { name: "damaged", text: String(bo?.text).replace("Proven, ", "Refuted,") };
    const { verdict, problems, statements } = await verifyTogether([ana!, damaged], verifyInline);

    expect(verdict).toBe("failed");
    expect(problems).toMatchObject([
      { files: ["damaged"], what: "the file fails: export_hash, export_signature, disclosures" },
    ]);
    expect(new Set(statements.map(({ file }) => file))).toEqual(new Set(["ana"]));
  });

  test("may be any files: none, the same twice, or no bundles", async () => {
    const [ana] = await filesOf({ seed: 1 }, "ana");
    const twice = await verifyTogether([ana!, { ...ana!, name: "again" }], verifyInline);
    const alone = await verifyTogether([ana!], verifyInline);

    expect(twice.verdict).toBe("verified");
    expect(twice.statements).toEqual(alone.statements);
    expect((await verifyTogether([], verifyInline)).statements).toEqual([]);
    expect((await verifyTogether([{ name: "x", text: "x" }], verifyInline)).verdict).toBe("failed");
  });
});

describe("a log that shows its witnesses one history and a file another", () => {
  const another = changing("bo", "connection.opened", (act) => withField(act, "url", "http://127.0.0.1:2/"));

  test("is found out by what they signed", async () => {
    const [ana] = await filesOf({ seed: 1 }, "ana");
    const [bo] = await filesOf({ seed: 1, writes: another }, "bo");
    const alone = await verifyTogether([bo!], verifyInline);
    const together = await verifyTogether([ana!, bo!], verifyInline);

    expect(alone.verdict).toBe("verified");
    expect(together.verdict).toBe("failed");
    expect(whats(together.problems).join()).toMatch(/witness signed|two histories/);
  });

  test("is found out where its size is one that the bundle speaks of, or by its clock", async () => {
    const bundles = async (changes: object) => {
      const conversation = makeConversation({ seed: 1 });
      const { logs } = conversation;
      const seen = logs.bo.checkpoint({
        checkpoint_id: `cp_1_${checkpointTag(logs.bo.key.id)}`,
        previous_cp_id: null,
        ...changes,
      });
      const ana = await conversation.bundleOf("ana", {
        witnessed: [{ agentId: logs.bo.key.id, checkpoint: seen }],
      });
      const bo = await conversation.bundleOf("bo");
      return [ana, bo].map((bundle: JsonObject, at) => ({ name: `${at}`, text: canon1OfJson(bundle) }));
    };
    const size = makeConversation({ seed: 1 }).logs.bo.commits.length;
    const older = { timestamp: "2026-01-01T00:00:00Z" };
    const larger = { tree_size: size + 9, log_position: size + 8 };

    const shrunk = await verifyTogether(await bundles({ ...older, ...larger }), verifyInline);
    expect(whats(shrunk.problems)).toEqual([expect.stringContaining("is older, and has more commits")]);
    const newer = await verifyTogether(await bundles(larger), verifyInline);
    expect(newer.verdict).toBe("verified");
    const before = await verifyTogether(
      await bundles({ ...older, tree_size: 1, log_position: 0 }),
      verifyInline,
    );
    expect(before.verdict).toBe("verified");
    const within = await verifyTogether(
      await bundles({ ...older, tree_size: 3, log_position: 2 }),
      verifyInline,
    );
    expect(whats(within.problems).join()).toMatch(/another tree of 3 commits/);
  });

  test("is found out by two files of its own", async () => {
    const [first] = await filesOf({ seed: 1 }, "bo");
    const writes = changing("bo", "message.forwarded", (act) => ({ ...act, peer: null }));
    const [second] = await filesOf({ seed: 1, writes }, "bo");
    const { problems } = await verifyTogether([first!, { ...second!, name: "other" }], verifyInline);

    expect(whats(problems).join()).toMatch(/two histories/);
    expect(whats(problems)).toContain("two commits have one place in its log");
  });

  test("is found out by two files of one log that branch off, each true by itself", async () => {
    const { bundleOf, logs, messageId } = makeConversation({ seed: 1 });
    const files = [{ name: "first", text: canon1OfJson(await bundleOf("ana")) }];
    const commits = logs.ana.commits as TestCommit[];
    const at = commits.findLastIndex(({ trace }) => trace === messageId);
    const tip = commits[at]!;
    commits[at] = { ...tip, trace: "left out of the second" };
    logs.ana.append(tip);
    logs.ana.checkpoint();
    files.push({ name: "second", text: canon1OfJson(await bundleOf("ana")) });

    for (const { text } of files) expect((await verifyBundle(text, verifyInline)).verdict).toBe("verified");
    const { problems } = await verifyTogether(files, verifyInline);
    expect(problems).toMatchObject([
      { files: ["first", "second"], what: "two commits follow the same one in its conversation" },
    ]);
  });

  test("is not believed once there is evidence against it", async () => {
    const files = await filesOf({ seed: 1, splits: true }, "ana", "dee");
    const { verdict, problems } = await verifyTogether(files, verifyInline);

    expect(verdict).toBe("failed");
    expect(whats(problems)).toContain("it is proven to have shown two histories of its log");
  });
});

type Writes = NonNullable<ConversationOptions["writes"]>;
type Act = Parameters<Writes>[1];

function changing(who: AgentName, what: string, change: (act: Act) => Act): Writes {
  return (name, act) => (name === who && act.act === what ? change(act) : act);
}

const withField = (act: Act, name: string, value: Act["fields"][string]): Act => ({
  ...act,
  fields: { ...act.fields, [name]: value },
});
