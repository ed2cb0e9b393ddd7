import type { Json, JsonObject } from "@darkmatter/core";
import { canon1OfJson, sha256Hex } from "@darkmatter/core";
import { describe, expect, test } from "vitest";
import { chainHashV1, exportChainHash, prefixed } from "../chain.ts";
import { spkiPem } from "../keys.ts";
import { makeBundle, makeConversation } from "../testing/conversation.ts";
import { sealed } from "../testing/export-bundle.ts";
import {
  asServer,
  at,
  type Forge,
  failuresIn,
  failuresOf,
  put,
  putInPassport,
  type Rule,
  testRules,
} from "../testing/forged-bundle.ts";
import { verifyInline } from "../testing/keys.ts";
import { verifyBundle } from "./verify-bundle.ts";

const TIP = 7;
const OTHER = prefixed(sha256Hex("other"));
const OTHER_ID = "ctx_1790000000000_0123456789ab";
const { keys } = makeConversation({ seed: 1 });

const inPassport =
  (step: number, place: string, value: Json): Forge =>
  (bundle) =>
    putInPassport(bundle, step, place, value);
const inBundle =
  (place: string, value: Json | undefined): Forge =>
  (bundle) =>
    put(bundle, place, value);
const server =
  (forge: Forge): Forge =>
  (bundle, talk) => {
    asServer(bundle);
    return forge(bundle, talk);
  };

test("what an exporter seals without a change holds, as a node's and as a server's", async () => {
  expect(await failuresOf(() => {})).toEqual({});
  expect(await failuresOf(asServer)).toEqual({});
});

describe("the seal", () => {
  const form = "the file is not what its export_hash was made of";

  test("export_hash is of the whole file", async () => {
    const bundle = await makeBundle({ seed: 1 });
    expect(await failuresIn({ ...bundle, export_hash: OTHER })).toEqual({ export_hash: form });
  });

  test("export_sig is by the key that the file names", async () => {
    const bundle = await makeBundle({ seed: 1 });
    const detail = "the exporter did not sign this";
    expect(await failuresIn(sealed(bundle, keys.bo))).toEqual({ export_signature: detail });
  });

  test("log names the exporter's key", async () => {
    const bundle = structuredClone(await makeBundle({ seed: 1, covered: false }));
    put(bundle, "metadata.exported_by", keys.bo.id);
    put(bundle, "server_pubkey.public_key", spkiPem(keys.bo.id));
    const detail = "log and exported_by name different keys";
    expect(await failuresIn(sealed(bundle, keys.bo))).toEqual({ export_signature: detail });
  });

  testRules([
    [
      "server_pubkey is the exporter's key",
      { export_signature: "server_pubkey and exported_by name different keys" },
      inBundle("server_pubkey.public_key", spkiPem(keys.bo.id)),
      { covered: false },
    ],
  ]);
});

describe("payloads", () => {
  testRules([
    [
      "are those that were hashed",
      { payloads: "the payload is not the one that was hashed" },
      inPassport(0, "payload.peer", keys.cy.id),
    ],
  ]);

  test("that were pruned are not called checked", async () => {
    const bundle = structuredClone(await makeBundle({ seed: 1, discloses: () => false }));
    asServer(bundle);
    const prune = (step: number) => {
      putInPassport(bundle, step, "payload", null);
      putInPassport(bundle, step, "payload_pruned_at", "2026-11-21T00:00:00Z");
    };
    const phase = async () => {
      const { phases } = await verifyBundle(canon1OfJson(bundle), verifyInline);
      return phases.find((one) => one.phase === "payloads");
    };
    prune(2);
    expect(await phase()).toMatchObject({ status: "pass", checked: TIP, detail: "7 payloads, 1 pruned" });
    for (let step = 0; step <= TIP; step++) prune(step);
    expect(await phase()).toMatchObject({ status: "not checked", checked: 0, detail: "8 pruned" });
  });
});

/** The tip's scheme-1 hash, and all that is made of it, as of another payload hash. */
function rehashTip(bundle: JsonObject, hash: string, parent: string): void {
  putInPassport(bundle, TIP, "integrity.integrity_hash", prefixed(chainHashV1(hash, parent)));
  resumTip(bundle);
}

function resumTip(bundle: JsonObject): void {
  const chain = bundle.chain as JsonObject[];
  const hashOf = (step: number) => String(at(bundle, `chain.${step}.integrity.integrity_hash`));
  const ids = chain.map(({ id }) => String(id));
  put(bundle, "integrity.tip_hash", hashOf(TIP));
  const sum = exportChainHash({
    chain_ids: ids,
    chain_length: ids.length,
    ctx_id: ids[TIP]!,
    lineage_root: ids[0]!,
    root_hash: hashOf(0),
    tip_hash: hashOf(TIP),
  });
  put(bundle, "integrity.chain_hash", sum);
}

describe("the chain", () => {
  const anotherAgent: Forge = (bundle) => {
    putInPassport(bundle, 2, "created_by.agent_id", keys.bo.id);
  };
  const naming = "the envelope names another agent than created_by";
  testRules([
    [
      "scheme 1 follows from the payload and the parent",
      { chain: "the chain hash is not that of this payload after its parent" },
      (bundle) => {
        putInPassport(bundle, TIP, "integrity.integrity_hash", OTHER);
        resumTip(bundle);
      },
    ],
    [
      "parent_id is the step before",
      { chain: "parent_id is not the step before" },
      inPassport(3, "parent_id", OTHER_ID),
    ],
    [
      "a root has no parent_id",
      { chain: "parent_id is not the step before" },
      inPassport(0, "parent_id", OTHER_ID),
    ],
    [
      "parent_hash is that of the step before",
      { chain: "parent_hash is not the hash of the step before" },
      inPassport(3, "integrity.parent_hash", OTHER),
    ],
    [
      "a root has no parent_hash",
      { chain: "parent_hash is not the hash of the step before" },
      inPassport(0, "integrity.parent_hash", OTHER),
    ],
    [
      "lineage_root of a step is the root",
      { chain: "lineage_root is not the first step" },
      inPassport(3, "lineage.lineage_root", OTHER_ID),
    ],
    [
      "each step is of one trace",
      { chain: "the step is of another trace" },
      inPassport(3, "trace_id", "another"),
    ],
    [
      "a step of a server's bundle may be of a trace of its own",
      {},
      server(inPassport(3, "trace_id", "another")),
    ],
    [
      "the bundle is of the trace of its steps",
      { chain: "the step is of another trace" },
      inBundle("metadata.trace_id", "another"),
    ],
    [
      "a server's bundle is of the trace of its last step",
      { chain: "metadata.trace_id is not the last step's" },
      server(inBundle("metadata.trace_id", "another")),
    ],
    [
      "each step is of the log's agent",
      { chain: "the step is of another agent", envelopes: naming },
      anotherAgent,
    ],
    [
      "a step of a server's bundle may be of another agent, if its envelope is",
      { envelopes: naming },
      server(anotherAgent),
    ],
  ]);
});

describe("what the steps are is said by", () => {
  testRules([
    [
      "metadata.ctx_id",
      { chain: "metadata.ctx_id is not the last step" },
      inBundle("metadata.ctx_id", OTHER_ID),
    ],
    [
      "metadata.lineage_root",
      { chain: "metadata.lineage_root is not the first step" },
      inBundle("metadata.lineage_root", OTHER_ID),
    ],
    [
      "metadata.chain_length",
      { chain: "metadata.chain_length is not the number of steps" },
      inBundle("metadata.chain_length", TIP),
    ],
    [
      "integrity.root_hash",
      { chain: "integrity.root_hash is not the first step's" },
      inBundle("integrity.root_hash", OTHER),
    ],
    [
      "integrity.tip_hash",
      { chain: "integrity.tip_hash is not the last step's" },
      inBundle("integrity.tip_hash", OTHER),
    ],
    [
      "integrity.chain_hash",
      { chain: "integrity.chain_hash is not that of these steps" },
      inBundle("integrity.chain_hash", OTHER),
    ],
    ...["from", "to"].map(
      (end): Rule => [
        `integrity.timestamp_range.${end}`,
        { chain: "integrity.timestamp_range is not that of the steps" },
        inBundle(`integrity.timestamp_range.${end}`, "2026-01-01T00:00:00Z"),
      ],
    ),
  ]);
});

describe("envelopes", () => {
  const differs = "integrity_v2 differs from the commit's members";
  testRules([
    [
      "name the scheme-2 hash of the step before",
      { envelopes: "the envelope does not name the step before" },
      (bundle) => {
        put(bundle, "commits.3.parent_integrity_hash", sha256Hex("x"));
        putInPassport(bundle, 3, "integrity_v2.parent_integrity_hash", sha256Hex("x"));
      },
    ],
    [
      "rebuilt, give the commit's hash",
      { envelopes: "the commit's hash is not that of its envelope" },
      inBundle("commits.3.timestamp", "2026-01-01T00:00:00Z"),
    ],
    [
      "in integrity_v2 are the rebuilt ones",
      { envelopes: "integrity_v2.envelope differs from the commit's members" },
      (bundle) => {
        putInPassport(bundle, 3, "integrity_v2.envelope.timestamp", "2026-01-01T00:00:00Z");
        const text = canon1OfJson(at(bundle, "commits.3.integrity_v2.envelope"));
        put(bundle, "commits.3.agent_signature", keys.ana.sign(text));
      },
    ],
    [
      "hash the payload that scheme 1 does",
      { envelopes: "two payload hashes of the step differ" },
      (bundle) => {
        putInPassport(bundle, TIP, "payload", null);
        putInPassport(bundle, TIP, "payload_pruned_at", "2026-11-21T00:00:00Z");
        putInPassport(bundle, TIP, "integrity.payload_hash", OTHER);
        const parent = String(at(bundle, `chain.${TIP}.integrity.parent_hash`)).slice("sha256:".length);
        rehashTip(bundle, sha256Hex("other"), parent);
        const closed = (bundle.disclosures as JsonObject[]).filter(
          ({ commit }) => `sha256:${commit}` !== at(bundle, `commits.${TIP}.integrity_hash`),
        );
        put(bundle, "disclosures", closed);
      },
    ],
    [
      "name the agent that created_by does",
      { envelopes: "the envelope names another agent than created_by" },
      server((bundle) => {
        for (let step = 0; step <= TIP; step++) putInPassport(bundle, step, "created_by.agent_id", "another");
      }),
    ],
    ...["payload_hash", "integrity_hash", "parent_integrity_hash"].map(
      (name): Rule => [
        `repeat the ${name} in integrity_v2`,
        { envelopes: differs },
        inPassport(3, `integrity_v2.${name}`, name.startsWith("parent") ? sha256Hex("x") : OTHER),
      ],
    ),
    [
      "repeat the key_id in integrity_v2",
      { envelopes: differs },
      server(inPassport(3, "integrity_v2.key_id", "another")),
    ],
  ]);
});

describe("agent signatures", () => {
  const signature = "commits.3.agent_signature";
  testRules([
    [
      "are there, for a node's commits",
      { agent_signatures: "signature or key is missing" },
      inBundle(signature, null),
    ],
    ["may be missing from a server's", {}, server(inBundle(signature, null))],
    [
      "are by the log's key",
      { agent_signatures: "signed by another key than the log's" },
      (bundle) => {
        const text = canon1OfJson(at(bundle, "commits.3.integrity_v2.envelope"));
        put(bundle, signature, keys.bo.sign(text));
        put(bundle, "commits.3.agent_public_key", spkiPem(keys.bo.id));
      },
    ],
    [
      "are of this envelope",
      { agent_signatures: "the agent's signature does not hold" },
      inBundle(signature, keys.ana.sign("another")),
    ],
  ]);
});
