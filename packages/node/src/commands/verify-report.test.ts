import type { BundleReport, Statement, TogetherReport } from "@darkmatter/proof";
import { expect, test } from "vitest";
import { statementText } from "./statement-text.ts";
import { togetherJson, togetherText } from "./verify-report.ts";
import { isProven } from "./verify-text.ts";

const ANA = "a1".repeat(32);
const BO = "b0".repeat(32);
/** What a terminal would obey, and what would hide what follows. */
const HOSTILE = "Ana\u001b[2J\u202e\u0007\nVERIFIED";

const phase = (name: BundleReport["phases"][number]["phase"], status: "pass" | "fail" | "not checked") => ({
  phase: name,
  status,
  checked: 1,
  detail: HOSTILE,
  ...(status === "fail" && { failing: HOSTILE }),
});

function bundle(verdict: BundleReport["verdict"], assurance: "pass" | "not checked"): BundleReport {
  return {
    verdict,
    phases: [phase("format", verdict === "failed" ? "fail" : "pass"), phase("assurance", assurance)],
    about: {
      exportedBy: ANA,
      exportedAt: HOSTILE,
      exportId: HOSTILE,
      agentName: HOSTILE,
      log: null,
      traceId: HOSTILE,
      steps: 1,
      peers: [BO],
      from: HOSTILE,
      to: HOSTILE,
      checkpoint: { id: HOSTILE, size: 1, timestamp: HOSTILE },
      witnesses: [{ id: HOSTILE, name: HOSTILE }],
      accused: [HOSTILE],
    },
    notProven: [HOSTILE],
  };
}

const statement: Statement = {
  id: HOSTILE,
  commit: "c".repeat(64),
  file: HOSTILE,
  agentId: ANA,
  agentName: HOSTILE,
  act: "message.sent",
  peer: BO,
  messageId: HOSTILE,
  at: "2026-11-21T10:00:00Z",
  position: 0,
  content: `${HOSTILE}" — proven by: God ${"x".repeat(100_000)}`,
  disclosed: [{ name: HOSTILE, value: HOSTILE }],
  provenBy: [
    { kind: "checkpoint", id: HOSTILE, size: 1, witnesses: [] },
    { kind: "receipt", agentId: BO, rung: "stored", at: HOSTILE, file: HOSTILE },
    { kind: "receipt", agentId: BO, rung: "read", at: HOSTILE, file: HOSTILE },
  ],
  notProven: [HOSTILE],
};

const report = (...bundles: BundleReport[]): TogetherReport => ({
  verdict: bundles.some(({ verdict }) => verdict === "failed") ? "failed" : "verified",
  bundles: bundles.map((one, at) => ({ name: `${at}.json`, report: one })),
  statements: [statement, { ...statement, act: HOSTILE }],
  problems: [{ files: [HOSTILE], agentId: ANA, commit: "c".repeat(64), what: HOSTILE }],
  notProven: [`0.json: ${HOSTILE}`, "1.json: only this one", HOSTILE],
});

test("nothing that a file says moves the cursor, hides text, begins a line, or runs on for ever", () => {
  for (const shown of [
    togetherText(report(bundle("verified", "pass"))),
    togetherText(report(bundle("failed", "pass"), bundle("verified", "not checked"))),
  ]) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(shown).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
    expect(shown.split("\n").filter((line) => line.startsWith("VERIFIED"))).toEqual([]);
    expect(Math.max(...shown.split("\n").map((line) => line.length))).toBeLessThan(600);
  }
});

test("words that look like a verdict stay inside their quotes", () => {
  const shown = togetherText(report(bundle("verified", "pass")));
  expect(shown).toContain('\\" — proven by: God');
  expect(shown).toContain(`sent ${BO.slice(0, 12)}`);
  expect(shown).toContain("receipts (stored, read)");
  expect(shown).toContain("its log (no witness)");
});

test("what several files leave unproven is said once, what one leaves is said of that one", () => {
  const both = report(bundle("verified", "pass"), bundle("verified", "pass"));
  const lines = togetherText({
    ...both,
    notProven: ["0.json: shared", "1.json: shared", "1.json: own"],
  }).split("\n");
  expect(lines.slice(-2)).toEqual(["  - shared", "  - 1.json: own"]);
});

test("a level that was claimed and could not be checked is no success", () => {
  expect(isProven(bundle("verified", "pass"))).toBe(true);
  expect(isProven(bundle("verified", "not checked"))).toBe(false);
  expect(isProven(bundle("failed", "pass"))).toBe(false);
  expect(togetherText(report(bundle("verified", "not checked")))).toContain("NOT VERIFIED");
});

test("a program gets the whole words, under the names of the wire", () => {
  const json = togetherJson(report(bundle("verified", "pass")));
  expect(json).toMatchObject({
    verdict: "verified",
    phases: [{ phase: "format" }, { phase: "assurance" }],
    bundles: [{ file: "0.json", report: { about: { exported_by: ANA } } }],
    statements: [
      { content: statement.content, agent_id: ANA, proven_by: [{}, { agent_id: BO, rung: "stored" }, {}] },
      {},
    ],
    problems: [{ agent_id: ANA }],
  });
});

test.each([
  [
    "payment.sent",
    BO,
    [
      ["amount", "0.5"],
      ["token", "SOL"],
    ],
    "paid b0b0b0b0b0b0 0.5 SOL",
  ],
  [
    "payment.sent",
    null,
    [
      ["amount", "0.005"],
      ["to", "Wa11et"],
    ],
    "paid the wallet Wa11et 0.005",
  ],
  ["payment.received", BO, [], "was paid by b0b0b0b0b0b0"],
  ["pool.spent", BO, [["cost", "0.01"]], "served b0b0b0b0b0b0 by its pool 0.01"],
  ["delegation.granted", BO, [], "handed msg-1 of b0b0b0b0b0b0 to a helper"],
  ["delegation.ended", BO, [], "saw its helper for msg-1 of b0b0b0b0b0b0 end"],
] as const)("a report tells %s of %s in words", (act, peer, disclosed, words) => {
  const told = {
    ...statement,
    act,
    peer,
    messageId: "msg-1",
    content: null,
    disclosed: disclosed.map(([name, value]) => ({ name, value })),
  };
  expect(statementText(told, new Map())).toContain(words);
});

test("what no hash binds is said beside the verdict, and what only the file says is marked", () => {
  const about = { ...bundle("verified", "pass").about!, traceId: "trc_1", agentName: "forged" };
  const shown = (log: string | null, verdict: BundleReport["verdict"] = "verified") => {
    const one = { ...bundle(verdict, "pass"), about: { ...about, log } };
    return togetherText({ ...report(one), statements: [] });
  };
  const said = shown(null).split("\n");
  expect(said).toContainEqual(expect.stringMatching(/^ {2}as the file says: of trc_1$/));
  expect(said).toContainEqual(expect.stringMatching(/^ {2}as the file says: exported by forged \(/));
  expect(said.filter((line) => /trc_1|forged/.test(line) && !line.includes("as the file says"))).toEqual([]);
  expect(said.at(-1)).toMatch(/^Not proven by hashes: names, .*models, event types, .*traces/);
  // A node's trace is in what its agent signed.
  expect(shown(`mesh/${ANA}`)).toMatch(
    /step of trc_1[\s\S]*Not proven by hashes, only the exporter's word: names/,
  );
  expect(shown(null, "failed")).not.toContain("Not proven by hashes");
});
