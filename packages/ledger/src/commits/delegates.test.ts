import { canonicalJson, isoTime, type JsonObject, sha256Hex } from "@darkmatter/core";
import { createSigner, createVerifier, grantText } from "@darkmatter/identity";
import { type BundleReport, verifyBundle } from "@darkmatter/proof";
import { type Actor, actingAs } from "@darkmatter/store";
import { expect, test } from "vitest";
import { type TestLedger, testEvent, testLedger } from "../testing/test-ledger.ts";

const { verify } = createVerifier({ threads: "never" });
const TRACE = "msg-1a0cdccd0c92";
const CHILD = createSigner(new Uint8Array(32).fill(9));
const HOUR_MS = 3_600_000;

interface Granted {
  readonly messageId?: string;
  /** From now, milliseconds. */
  readonly from?: number;
  readonly until?: number;
  /** In the place of the passport's. */
  readonly sig?: string;
  readonly key?: string;
  /** In the place of the helper's own signature. */
  readonly sign?: (text: string) => string | undefined;
}

/** A message received, handed to a helper and answered by it, exported whole. */
async function answeredBy(
  given: Granted = {},
): Promise<{ ledger: TestLedger; report: BundleReport; text: string }> {
  const ledger = await testLedger();
  const { db, clock, signer, journal } = ledger;
  const { messageId = TRACE, from = 0, until = HOUR_MS, key = CHILD.agentId } = given;
  const scope: JsonObject = { message_id: messageId, tools: ["darkmatter_respond_message"], peers: [] };
  const [notBefore, notAfter] = [isoTime(clock.now() + from), isoTime(clock.now() + until)];
  const text = grantText({ agentId: signer.agentId, childPublicKey: key, scope, notBefore, notAfter }) ?? "";
  const grant = {
    child_public_key: key,
    scope,
    not_before: notBefore,
    not_after: notAfter,
    sig: given.sig ?? signer.sign(text),
  };
  const actor: Actor = {
    delegation: "dg-1",
    publicKey: CHILD.agentId,
    grant: sha256Hex(canonicalJson(grant)),
    sign: given.sign ?? CHILD.sign,
  };
  await ledger.append({ act: "delegation.granted", trace: TRACE, fields: { grant } });
  await actingAs(actor, () =>
    db.write((tx) =>
      journal.append(
        tx,
        testEvent({
          act: "message.answered",
          trace: TRACE,
          fields: { response: "yes", direction: "outbound" },
        }),
      ),
    ),
  );
  await ledger.append({ act: "delegation.ended", trace: TRACE, fields: { outcome: "done" } });
  await db.write((tx) => ledger.checkpoints.make(tx));
  const tip = (await ledger.reader.commits.find(db, TRACE)).id;
  const bundle = await ledger.reader.exportBundle(db, { disclose: () => true, tip });
  return { ledger, report: await verifyBundle(bundle.text, verify), text: bundle.text };
}

const failing = ({ phases }: BundleReport) =>
  phases.filter(({ status }) => status === "fail").map(({ detail }) => detail);

test("a commit made in the agent's place carries the other's key, grant and signature, and its neighbours do not", async () => {
  const { ledger, report } = await answeredBy();
  const payloads = (await ledger.commits()).map(({ payload }) => JSON.parse(payload) as JsonObject);
  expect(payloads.map(({ delegate }) => delegate !== undefined)).toEqual([false, true, false]);
  const { delegate, ...rest } = payloads[1] as { delegate: { public_key: string; sig: string } };
  expect(delegate.public_key).toBe(CHILD.agentId);
  expect(await verify(CHILD.agentId, sha256Hex(canonicalJson(rest)), delegate.sig)).toBe(true);
  expect(report.verdict).toBe("verified");
});

test("what follows an act is the agent's own", async () => {
  await using ledger = await testLedger();
  const actor: Actor = { delegation: "dg-1", publicKey: CHILD.agentId, grant: "", sign: CHILD.sign };
  const actors: (Actor | undefined)[] = [];
  await actingAs(actor, () =>
    ledger.db.write(async (tx) => {
      actors.push(tx.actor);
      tx.afterCommit(() => ledger.db.write(async (after) => void actors.push(after.actor)));
    }),
  );
  await ledger.db.write(async (tx) => void actors.push(tx.actor));
  expect(actors).toEqual([actor, undefined, undefined]);
});

test("writes of a helper and of the agent that share a commit keep their own hands", async () => {
  await using ledger = await testLedger();
  const actor: Actor = { delegation: "dg-1", publicKey: CHILD.agentId, grant: "", sign: CHILD.sign };
  const by = () => ledger.db.write(async (tx) => tx.actor?.publicKey);
  expect(await Promise.all([by(), actingAs(actor, by), by(), actingAs(actor, by)])).toEqual([
    undefined,
    CHILD.agentId,
    undefined,
    CHILD.agentId,
  ]);
});

test("once its time is over nothing is done in its name, and nothing of it stands there as the agent's own", async () => {
  await using ledger = await testLedger();
  const { db, journal } = ledger;
  const actor: Actor = { delegation: "dg-1", publicKey: CHILD.agentId, grant: "", sign: () => undefined };
  const late = actingAs(actor, () =>
    db.write((tx) => journal.append(tx, testEvent({ act: "message.answered", trace: TRACE }))),
  );
  await expect(late).rejects.toMatchObject({ code: "GRANT_OVER" });
  expect(await ledger.commits()).toHaveLength(0);
});

test.each<readonly [string, Granted, RegExp]>([
  [
    "signed by another",
    { sign: createSigner(new Uint8Array(32).fill(8)).sign },
    /delegate's signature does not hold/,
  ],
  ["granted to another key", { key: "ab".repeat(32) }, /grant is of another delegate/],
  ["granted for another message", { messageId: "msg-other" }, /grant is for another message/],
  ["granted for a time that was over", { from: -HOUR_MS, until: -60_000 }, /grant is of another time/],
  ["granted for a time to come", { from: 60_000 }, /grant is of another time/],
  ["granted by nobody", { sig: "00".repeat(64) }, /did not sign the grant/],
])("a bundle whose helper's act was %s is not believed", async (_, given, reason) => {
  const { report } = await answeredBy(given);
  expect(report.verdict).toBe("failed");
  expect(failing(report)).toEqual([expect.stringMatching(reason)]);
});
