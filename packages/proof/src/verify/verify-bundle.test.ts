import { canon1OfJson, exactOf, type Json, type JsonObject, sha256Hex } from "@darkmatter/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { attestationText, attestedHash } from "../attestation.ts";
import { prefixed } from "../chain.ts";
import { witnessId } from "../keys.ts";
import { type ConversationOptions, makeBundle, makeConversation } from "../testing/conversation.ts";
import { sealed } from "../testing/export-bundle.ts";
import { remembering, testKey, verifyInline } from "../testing/keys.ts";
import { type BundleReport, PHASES, type PhaseName } from "./report.ts";
import { BUNDLE_BYTES_MAX, verifyBundle } from "./verify-bundle.ts";

const check = (bundle: JsonObject) => verifyBundle(canon1OfJson(bundle), verifyInline);
const failing = ({ phases }: BundleReport) =>
  phases.filter(({ status }) => status === "fail").map(({ phase }) => phase);
const phaseOf = ({ phases }: BundleReport, name: PhaseName) => phases.find(({ phase }) => phase === name);

const ana = makeConversation({ seed: 1, splits: true });

describe("a bundle as exported", () => {
  test.each(["ana", "bo", "cy", "dee"] as const)(
    "by %s is verified in every phase that has something",
    async (name) => {
      const report = await check(await ana.bundleOf(name));

      expect(report.verdict).toBe("verified");
      expect(report.phases.map(({ phase }) => phase)).toEqual(PHASES);
      expect(phaseOf(report, "attestations")?.status).toBe("not checked");
      for (const { status, checked } of report.phases) expect(status === "pass").toBe(checked > 0);
    },
  );

  test("says what it is about", async () => {
    const { about } = await check(await ana.bundleOf("ana"));

    expect(about).toMatchObject({
      exportedBy: ana.keys.ana.id,
      agentName: "ana",
      log: `mesh/${ana.keys.ana.id}`,
      traceId: ana.messageId,
      peers: [ana.keys.bo.id, ana.keys.dee.id],
      accused: [ana.keys.dee.id],
      witnesses: [
        { id: witnessId(ana.keys.bo.id), name: "bo" },
        { id: witnessId(ana.keys.cy.id), name: "cy" },
      ],
    });
  });

  test("may be laid out otherwise: spaces, members in another order, escapes", async () => {
    const bundle = await ana.bundleOf("bo");
    const turned = Object.fromEntries(Object.entries(bundle).reverse());
    const text = JSON.stringify(turned, null, 2).replaceAll("Prove", "\\u0050rove");

    expect((await verifyBundle(text, verifyInline)).verdict).toBe("verified");
    expect((await verifyBundle(new TextEncoder().encode(text), verifyInline)).verdict).toBe("verified");
  });

  test("is hashed alike as text and as bytes, with and without other characters than ASCII", async () => {
    for (const discloses of [() => true, () => false]) {
      const text = canon1OfJson(await makeBundle({ seed: 5, discloses }));
      expect(await verifyBundle(new TextEncoder().encode(text), verifyInline)).toEqual(
        await verifyBundle(text, verifyInline),
      );
    }
  });
});

describe("what could not be checked is not called checked", () => {
  const statusOf = async (options: ConversationOptions, name: PhaseName, who: "ana" | "bo" = "ana") =>
    phaseOf(await check(await makeConversation(options).bundleOf(who)), name);

  test("closed fields are counted beside the opened ones", async () => {
    const discloses = (_: unknown, name: string) => name === "content";
    expect(await statusOf({ seed: 1, discloses }, "disclosures")).toMatchObject({
      status: "pass",
      checked: 2,
      detail: "2 fields opened, 10 stay closed",
    });
    expect(await statusOf({ seed: 1, discloses: () => false }, "disclosures")).toMatchObject({
      status: "not checked",
      checked: 0,
      detail: "12 stay closed",
    });
  });

  test("closed signatures and receipts, and signatures over closed words", async () => {
    const discloses = () => false;
    expect(await statusOf({ seed: 1, discloses }, "receipts")).toMatchObject({ status: "not checked" });
    expect(await statusOf({ seed: 1, discloses }, "message_signatures", "bo")).toMatchObject({
      status: "not checked",
      detail: "1 stay closed",
    });
    const signed = {
      seed: 1,
      scheme: "signature_hex" as const,
      discloses: (_: unknown, name: string) => name === "signed",
    };
    expect(await statusOf(signed, "message_signatures", "bo")).toMatchObject({
      status: "not checked",
      detail: "1 need a content that stays closed",
    });
    const open = { seed: 1, scheme: "signature_hex" as const };
    expect(await statusOf(open, "message_signatures", "bo")).toMatchObject({ status: "pass", checked: 1 });
  });

  test("a log without checkpoint, and a checkpoint without witness", async () => {
    const bare = await check(await makeBundle({ seed: 1, covered: false }));
    expect(bare.verdict).toBe("verified");
    expect(phaseOf(bare, "checkpoint")?.status).toBe("not checked");
    expect(phaseOf(bare, "inclusion")?.detail).toBe("8 steps, 8 under no signed checkpoint");
    expect(bare.notProven).toContain("checkpoint: not checked, no checkpoint covers the last step");
    expect(await statusOf({ seed: 1, witnessed: false }, "witnesses")).toMatchObject({
      status: "not checked",
    });
  });
});

describe("claims beyond what the file shows fail", () => {
  const resealed = async (
    change: (bundle: JsonObject) => void,
    options: ConversationOptions = { seed: 1 },
  ) => {
    const { keys, bundleOf } = makeConversation(options);
    const bundle = structuredClone(await bundleOf("ana"));
    change(bundle);
    return check(sealed(bundle, keys.ana));
  };
  const level = (wanted: string) => (bundle: JsonObject) => {
    for (const list of [bundle.chain, bundle.commits] as JsonObject[][]) list[0]!.assurance_level = wanted;
  };

  test("L2 without a witness, L3 without an attestation", async () => {
    expect(failing(await resealed(level("L2"), { seed: 1, witnessed: false }))).toEqual(["assurance"]);
    expect(failing(await resealed(level("L3")))).toEqual(["assurance"]);
    expect(failing(await resealed(level("L1")))).toEqual([]);
  });

  test("an attestation of the payload makes L3, one of another payload fails", async () => {
    const client = testKey("client");
    const attest = (payload: Json) => (bundle: JsonObject) => {
      level("L3")(bundle);
      const commit = (bundle.commits as JsonObject[])[0]!;
      commit.client_attestation = attestationOf(client, commit, payload);
    };
    const own = await resealed((bundle) => attest((bundle.commits as JsonObject[])[0]!.payload!)(bundle));
    expect(phaseOf(own, "attestations")).toMatchObject({ status: "pass", checked: 1 });
    expect(failing(own)).toEqual([]);
    const other = await resealed(attest({ act: "another" }));
    expect(failing(other)).toEqual(["attestations", "assurance"]);
  });

  test("a witness that is the log itself, or is there twice", async () => {
    const twice = await resealed((bundle) => {
      const checkpoint = bundle.checkpoint as JsonObject;
      const signatures = checkpoint.witness_signatures as JsonObject[];
      checkpoint.witness_signatures = [...signatures, signatures[0]!];
      checkpoint.witness_count = signatures.length + 1;
    });
    expect(failing(twice)).toEqual(["witnesses"]);

    const { logs, bundleOf } = makeConversation({ seed: 1 });
    const itself = await check(await bundleOf("ana", { witnesses: [logs.ana] }));
    expect(failing(itself)).toEqual(["witnesses", "consistency", "assurance"]);
  });
});

test("a ledger server's bundle has no log, and is checked for what it has", async () => {
  const ofNode = ["log", "consistency", "disclosures", "witnessed", "evidence", "export_sig", "export_hash"];
  const bundle = await makeBundle({ seed: 1 });
  const plain = Object.fromEntries(Object.entries(bundle).filter(([name]) => !ofNode.includes(name)));
  const report = await check({ ...plain, export_hash: prefixed(sha256Hex(canon1OfJson(plain))) });

  expect(failing(report)).toEqual([]);
  for (const phase of ["export_signature", "disclosures", "receipts", "witnessed", "evidence"] as const) {
    expect(phaseOf(report, phase)?.status).toBe("not checked");
  }
});

describe("what is no bundle fails its form, and nothing else is checked", () => {
  const cases: readonly (readonly [name: string, text: string | Uint8Array, detail: string])[] = [
    ["nothing", "", "This is not JSON (at position 0)."],
    ["another value", "[]", "the file is not an object"],
    ["an empty object", "{}", "chain is missing"],
    ["bytes that are no UTF-8", Uint8Array.of(0xff, 0xfe), "it is not UTF-8 text"],
    ["a byte order mark", "\ufeff{}", "This is not JSON (at position 0)."],
    ["a byte order mark in bytes", new TextEncoder().encode("\ufeff{}"), "This is not JSON (at position 0)."],
    [
      "more values than memory holds",
      `{"x":[0${",0".repeat(6_000_000)}]}`,
      "the file holds more than 6000000 values",
    ],
    ["deep nesting", "[".repeat(100_000), "Arrays and objects nest too deep (at position 256)."],
    ["more than 200 MB", new Uint8Array(BUNDLE_BYTES_MAX + 1), "it is larger than 200 MB"],
  ];
  test.each(cases)("%s", async (_, text, detail) => {
    const report = await verifyBundle(text, verifyInline);

    expect(report).toMatchObject({ verdict: "failed", about: null });
    expect(failing(report)).toEqual(["format"]);
    expect(phaseOf(report, "format")?.detail).toBe(detail);
    expect(report.phases.slice(1).every(({ status }) => status === "not checked")).toBe(true);
  });

  test("the place that has not its form is named", async () => {
    const bundle = structuredClone(await makeBundle({ seed: 1 }));
    ((bundle.commits as JsonObject[])[3]!._proof as JsonObject).tree_size = "9";

    expect(phaseOf(await check(bundle), "format")?.detail).toBe(
      "commits[3]._proof.tree_size is not a whole number from 0 to 2^53 - 1",
    );
  });
});

test("the first step that fails is named, however late its signature is answered", async () => {
  const bundle = structuredClone(await makeBundle({ seed: 1 }));
  const commits = bundle.commits as JsonObject[];
  for (const at of [5, 2]) commits[at]!.agent_signature = commits[0]!.agent_signature!;
  const asked: (() => void)[] = [];
  let isDone = false;
  const pending = verifyBundle(
    canon1OfJson(bundle),
    (...claim) => new Promise((resolve) => asked.push(() => resolve(verifyInline(...claim)))),
  ).finally(() => {
    isDone = true;
  });
  while (!isDone) {
    await new Promise((resolve) => setImmediate(resolve));
    asked.pop()?.();
  }
  const report = await pending;

  expect(phaseOf(report, "agent_signatures")).toMatchObject({ status: "fail", failing: commits[2]!.id });
});

test("a port that rejects has verified nothing", async () => {
  const report = await verifyBundle(canon1OfJson(await makeBundle({ seed: 1 })), () =>
    Promise.reject(new Error("no")),
  );

  expect(report.verdict).toBe("failed");
  expect(failing(report)).toContain("agent_signatures");
});

test("at most 256 signatures are asked for at once", async () => {
  let [now, most] = [0, 0];
  await verifyBundle(canon1OfJson(await makeBundle({ seed: 1, answers: 400 })), async () => {
    most = Math.max(most, ++now);
    await new Promise((resolve) => setImmediate(resolve));
    now--;
    return true;
  });

  expect(most).toBeLessThanOrEqual(256 + 3);
  expect(most).toBeGreaterThan(100);
});

test("whatever the text, there is a report", { timeout: 60_000 }, async () => {
  const text = canon1OfJson(await ana.bundleOf("cy"));
  const verify = remembering(verifyInline);
  const damage = fc.array(
    fc.tuple(
      fc.nat(text.length),
      fc.nat(40),
      fc.oneof(fc.string({ unit: "binary" }), fc.json(), fc.constant(text.slice(9, 99))),
    ),
    { minLength: 1, maxLength: 4 },
  );
  await fc.assert(
    fc.asyncProperty(damage, async (cuts) => {
      const damaged = cuts.reduce(
        (whole, [at, length, put]) => whole.slice(0, at) + put + whole.slice(at + length),
        text,
      );
      const { phases, verdict } = await verifyBundle(damaged, verify);
      expect(phases.map(({ phase }) => phase)).toEqual(PHASES);
      expect(verdict === "failed").toBe(phases.some(({ status }) => status === "fail"));
    }),
    { numRuns: 500 },
  );
});

const base64Url = (hex: string) => Buffer.from(hex, "hex").toString("base64url");

function attestationOf(client: ReturnType<typeof testKey>, commit: JsonObject, payload: Json): JsonObject {
  const envelope = {
    agent_id: String(commit.agent_id),
    client_timestamp: "2026-09-21T14:00:00Z",
    key_id: "phone",
    metadata_hash: null,
    parent_id: commit.parent_id as string | null,
    payload_hash: attestedHash(exactOf(payload)),
  };
  const text = attestationText(envelope);
  return {
    ...envelope,
    version: "dm-envelope-v1",
    algorithm: "Ed25519",
    public_key: base64Url(client.id),
    envelope_hash: prefixed(sha256Hex(text)),
    signature: base64Url(client.sign(text)),
  };
}
