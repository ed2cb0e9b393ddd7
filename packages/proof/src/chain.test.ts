import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  bare,
  chainHashV1,
  chainHashV2,
  commitEnvelope,
  envelopeText,
  envelopeTime,
  exportChainHash,
  leafHash,
  logRootAfter,
  prefixed,
} from "./chain.ts";

const sha = (data: string | Buffer) => createHash("sha256").update(data).digest("hex");
const PAYLOAD = sha("payload");
const PARENT = sha("parent");

test("scheme 1 hashes the payload's hash and the parent's, or the word root", () => {
  expect(chainHashV1(PAYLOAD, null)).toBe(sha(`${PAYLOAD}root`));
  expect(chainHashV1(PAYLOAD, PARENT)).toBe(sha(PAYLOAD + PARENT));
});

test("scheme 2 hashes an envelope of six members, sorted", () => {
  const commit = {
    agentId: "dm_1",
    keyId: "default",
    timestamp: "2026-11-21T12:00:00Z",
    payloadHash: PAYLOAD,
  };
  const root = envelopeText(commitEnvelope({ ...commit, parentIntegrityHash: null }));
  expect(root).toBe(
    '{"agent_id":"dm_1","key_id":"default","parent_integrity_hash":"root","payload_hash":"' +
      `${PAYLOAD}","schema_version":"2","timestamp":"2026-11-21T12:00:00Z"}`,
  );
  const child = envelopeText(commitEnvelope({ ...commit, parentIntegrityHash: PARENT }));
  expect(child).toBe(root.replace('"root"', `"${PARENT}"`));
  expect(chainHashV2(child)).toBe(sha(child));
});

test("an envelope's text does not hang on the order in which its members came", () => {
  const envelope = commitEnvelope({
    agentId: 'dm_"é',
    keyId: "k",
    timestamp: "2026-11-21T12:00:00Z",
    payloadHash: PAYLOAD,
    parentIntegrityHash: null,
  });
  const other = Object.fromEntries(Object.entries(envelope).reverse()) as unknown as typeof envelope;
  expect(envelopeText(other)).toBe(envelopeText(envelope));
  expect(envelopeText(envelope)).toContain('"dm_\\"é"');
});

test("a leaf begins with a zero byte, the log root with the one before or genesis", () => {
  const leaf = {
    log_position: 7,
    integrity_hash: PAYLOAD,
    commit_id: "ctx_1_aabbccddeeff",
    accepted_at: "2026-11-21T12:00:00Z",
  };
  const text = `{"accepted_at":"2026-11-21T12:00:00Z","commit_id":"ctx_1_aabbccddeeff","integrity_hash":"${PAYLOAD}","log_position":7}`;
  expect(leafHash(leaf)).toBe(sha(Buffer.concat([Buffer.of(0), Buffer.from(text)])));
  const first = logRootAfter(null, PAYLOAD);
  expect(first).toBe(sha(`genesis:${PAYLOAD}`));
  expect(logRootAfter(first, PARENT)).toBe(sha(`${first}:${PARENT}`));
});

test("an export's chain hash covers the order of its ids", () => {
  const ends = {
    chain_length: 2,
    ctx_id: "b",
    lineage_root: "a",
    root_hash: "sha256:1",
    tip_hash: "sha256:2",
  };
  const text =
    '{"chain_ids":["a","b"],"chain_length":2,"ctx_id":"b","lineage_root":"a","root_hash":"sha256:1","tip_hash":"sha256:2"}';
  expect(exportChainHash({ ...ends, chain_ids: ["a", "b"] })).toBe(`sha256:${sha(text)}`);
  expect(exportChainHash({ ...ends, chain_ids: ["b", "a"] })).not.toBe(`sha256:${sha(text)}`);
});

test("a prefixed hash is told from anything else", () => {
  expect(bare(prefixed(PAYLOAD))).toBe(PAYLOAD);
  const others = [
    PAYLOAD,
    `sha256:${PAYLOAD.toUpperCase()}`,
    `sha256:${PAYLOAD}0`,
    "sha256:",
    ` sha256:${PAYLOAD}`,
  ];
  for (const other of [...others, `sha256:${PAYLOAD}\n`, `sha512:${PAYLOAD}`])
    expect(bare(other)).toBeUndefined();
});

describe("the time of an envelope", () => {
  test.each([
    ["2026-04-08T12:00:00Z", "2026-04-08T12:00:00Z"],
    ["2026-04-08T12:00:59.999999Z", "2026-04-08T12:00:59Z"],
    ["2026-04-08T12:00:00+00:00", "2026-04-08T12:00:00Z"],
    ["2026-04-08T12:00:00.5+02:00", "2026-04-08T10:00:00Z"],
    ["2026-12-31T23:30:00-01:00", "2027-01-01T00:30:00Z"],
    ["0050-01-01T00:00:00Z", "0050-01-01T00:00:00Z"],
  ])("%s is %s", (text, time) => expect(envelopeTime(text)).toEqual({ time, warned: false }));

  test("of the existing SDK's malformed kind is read, with a warning", () => {
    const read = { time: "2026-04-08T12:00:00Z", warned: true };
    expect(envelopeTime("2026-04-08T12:00:00+00:00Z")).toEqual(read);
    expect(envelopeTime("2026-04-08T12:00:00.123+00:00Z")).toEqual(read);
  });

  test.each([
    "2026-04-08T12:00:00",
    "2026-04-08 12:00:00Z",
    "2026-04-08T12:00Z",
    "2026-04-08T12:00:00.Z",
    "2026-04-08T12:00:00+02:00Z",
    "2026-04-08T12:00:00+0200",
    "2026-04-08t12:00:00z",
    "2026-02-30T12:00:00Z",
    "2026-04-08T24:00:00Z",
    "2026-04-08T12:00:60Z",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+01:00",
    "9999-12-31T23:59:59-01:00",
    "2026-04-08T12:00:00Z\n",
    " 2026-04-08T12:00:00Z",
    "1775649600",
    "",
    `2026-04-08T12:00:00.${"0".repeat(100)}Z`,
  ])("is not %j", (text) => expect(envelopeTime(text)).toBeUndefined());

  test("is what any date says in whole seconds, whatever its offset", () => {
    const offset = fc.integer({ min: -14 * 60, max: 14 * 60 });
    const date = fc.date({ min: new Date("0002-01-01"), max: new Date("9998-12-31"), noInvalidDate: true });
    fc.assert(
      fc.property(date, offset, (at, minutes) => {
        const local = new Date(at.getTime() + minutes * 60_000).toISOString().slice(0, -1);
        const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
        const two = (count: number) => String(count).padStart(2, "0");
        const read = envelopeTime(`${local}${minutes < 0 ? "-" : "+"}${two(hours)}:${two(rest)}`);
        expect(read?.time).toBe(`${at.toISOString().slice(0, 19)}Z`);
      }),
    );
  });
});
