import type { Json, JsonObject } from "@darkmatter/core";
import { describe, expect, test } from "vitest";
import {
  asServer,
  at,
  type Forge,
  failuresOf,
  put,
  putInPassport,
  testRules,
} from "../testing/forged-bundle.ts";

describe("no unknown member is allowed in", () => {
  const places = [
    "the top",
    "integrity",
    "integrity.timestamp_range",
    "checkpoint.witness_signatures.0",
    "server_pubkey",
    "commits.3._proof",
    "commits.3._proof.inclusion_proof",
    "commits.3._proof.checkpoint_inclusion",
    "consistency.0",
    "disclosures.0",
    "witnessed.0",
    "evidence.0",
  ];
  test.each(places)("%s of a bundle", async (place) => {
    const isTop = place === "the top";
    const forge: Forge = (bundle) => put(bundle, isTop ? "more" : `${place}.more`, 1);
    const where = isTop ? "the file" : place.replace(/\.(\d+)/g, "[$1]");
    const detail = `${where} has the unknown member "more"`;
    expect(await failuresOf(forge, { splits: true })).toEqual({ format: detail });
  });

  test("a checkpoint", async () => {
    const forge: Forge = (bundle) => put(bundle, "checkpoint.more", 1);
    expect(await failuresOf(forge)).toEqual({ format: "checkpoint is not a signed checkpoint" });
  });

  test("the payload of a node", async () => {
    const forge: Forge = (bundle) => putInPassport(bundle, 3, "payload.more", 1);
    expect(await failuresOf(forge)).toEqual({ format: 'commits[3].payload has the unknown member "more"' });
  });
});

describe("a node's bundle says the same of", () => {
  const inPassport: readonly (readonly [place: string, value: Json, fixed: string])[] = [
    ["branch_key", "other", '"main"'],
    ["event.type", "other", '"commit"'],
    ["completeness_claim", true, "null"],
    ["integrity_v2.key_id", "other", '"default"'],
    ["integrity_v2.envelope.key_id", "other", '"default"'],
    ["integrity_v2.client_match", true, "null"],
  ];
  test.each(inPassport)("%s in each", async (place, value, fixed) => {
    const forge: Forge = (bundle) => putInPassport(bundle, 3, place, value);
    expect(await failuresOf(forge)).toEqual({ format: `commits[3].${place} is not ${fixed}` });
  });

  const outside: readonly (readonly [place: string, value: Json, fixed: string])[] = [
    ["commits.3.key_id", "other", '"default"'],
    ["commits.3._proof.pubkey_url", "other", "null"],
    ["commits.3._proof.checkpoint_url", "other", "null"],
    ["commits.3._proof.verify_url", "other", "null"],
    ["server_pubkey.use", "other", '"checkpoint"'],
    ["server_pubkey.pubkey_url", "other", "null"],
  ];
  test.each(outside)("%s in each", async (place, value, fixed) => {
    const where = place.replace(/\.(\d+)/g, "[$1]");
    const detail = `${where} is not ${fixed}`;
    expect(await failuresOf((bundle) => put(bundle, place, value))).toEqual({ format: detail });
  });
});

describe("the steps", () => {
  testRules([
    [
      "have ids of their own",
      { format: "commits[3].id is there before" },
      (bundle) => putInPassport(bundle, 3, "id", at(bundle, "chain.2.id")),
    ],
    [
      "are the same in chain and commits",
      { format: "commits[3] is not the same in chain" },
      (bundle) => put(bundle, "chain.3.created_at", "2026-01-01T00:00:00.000Z"),
    ],
    [
      "have no member in chain alone",
      { format: "commits[3] is not the same in chain" },
      (bundle) => put(bundle, "chain.3.more", 1),
    ],
    [
      "are as many in chain as in commits",
      { format: "the file has a chain and commits of different length" },
      (bundle) => void (bundle.chain as JsonObject[]).pop(),
    ],
    [
      "are not none",
      { format: "chain is empty" },
      (bundle) => Object.assign(bundle, { chain: [], commits: [] }),
    ],
    [
      "are tied to the checkpoint",
      { format: "commits[3]._proof.checkpoint_inclusion is missing, though there is a checkpoint" },
      (bundle) => put(bundle, "commits.3._proof.checkpoint_inclusion", null),
    ],
    [
      "are tied to no checkpoint where there is none",
      { format: "commits[0]._proof.checkpoint_inclusion is there, though no checkpoint is" },
      (bundle) => put(bundle, "checkpoint", null),
    ],
    [
      "have a payload, or say when it was pruned",
      { format: "commits[3] has neither payload nor payload_pruned_at" },
      (bundle) => putInPassport(bundle, 3, "payload", null),
    ],
  ]);
});

describe("a node's bundle has all its members", () => {
  const names = ["log", "consistency", "disclosures", "witnessed", "evidence", "export_sig"];
  test.each(names)("and so %s", async (name) => {
    // The exporter's signature is written by whoever seals: it is there whenever anything else is.
    if (name !== "export_sig") {
      const detail = `${name} is missing`;
      expect(await failuresOf((bundle) => put(bundle, name, undefined))).toEqual({ format: detail });
    }
    const alone: Forge = (bundle) => {
      const kept = bundle[name]!;
      asServer(bundle);
      bundle[name] = kept;
    };
    expect(Object.keys(await failuresOf(alone))).toEqual(["format"]);
  });
});

describe("a chain that does not verify, as its own file says, is named", () => {
  const REASON = "the payload is not what its hash says";
  const broken = (id: Json | undefined, reason: Json): Forge => {
    return (bundle) => {
      put(bundle, "integrity.chain_intact", false);
      for (const step of [3, 4]) {
        putInPassport(bundle, step, "integrity.verification_status", "broken");
        putInPassport(bundle, step, "integrity.verification_reason", reason);
      }
      if (id !== undefined) putInPassport(bundle, 3, "id", id);
    };
  };
  const detail = "integrity.chain_intact is not true";

  test("by the first step that it calls broken", async () => {
    let id = "";
    const forge: Forge = (bundle, world) => {
      broken(undefined, REASON)(bundle, world);
      id = String(at(bundle, "chain.3.id"));
    };
    const failures = await failuresOf(forge);
    expect(failures).toEqual({ format: `${detail}: the file calls ${id} broken (${REASON})` });
  });

  test("in words of a bounded length, and never by what is no id", async () => {
    const { format } = await failuresOf(broken(undefined, "x".repeat(10_000)));
    expect(String(format).length).toBeLessThan(400);
    expect(await failuresOf(broken("\u001b[2J", REASON))).toEqual({ format: detail });
    expect(await failuresOf((bundle) => put(bundle, "integrity.chain_intact", false))).toEqual({
      format: detail,
    });
    const odd: Forge = (bundle) => {
      put(bundle, "integrity.chain_intact", false);
      putInPassport(bundle, 3, "integrity", 7);
    };
    expect(await failuresOf(odd)).toEqual({ format: detail });
  });
});
