import { fromHex } from "@darkmatter/core";
import { createSigner } from "@darkmatter/identity";
import { checkpointText, witnessId } from "@darkmatter/proof";
import type { Read } from "@darkmatter/store";
import { describe, expect, type TestContext, test } from "vitest";
import { checkEntries } from "../server/log/end-check.ts";
import { checkServerLedger } from "../server/log/ledger-check.ts";
import { createServerLog } from "../server/log/server-log.ts";
import type { OpenServerDatabase } from "./server-checkpoint-suite.ts";
import { tamperServer } from "./server-damage.ts";
import { type TestServer, testServer } from "./test-server.ts";

const CLAIMED = '"clientMatch":null,"completenessClaim":null,"signatureStatus"';
const CLAIMED_SIGNED = `${CLAIMED}:"none","clientSigned":true}`;
const CLAIMED_VALID = `${CLAIMED}:"valid","clientSigned":false}`;
const CLAIMED_JUNK = `${CLAIMED}:"none","clientSigned":false,"attestation":"no JSON"}`;
const WITNESS = createSigner(new Uint8Array(32).fill(3));

const check = ({ db, ports }: TestServer, read: Read = db) =>
  checkServerLedger(read, {
    keys: { current: ports.logKey.agentId, former: ports.formerLogKeys },
    verifier: ports.verifier,
  });

/** The look through a whole ledger on every database: run it on yours. */
export function ledgerCheckSuite(name: string, open: OpenServerDatabase): void {
  /** Two chains of nine commits, signed after the third, the seventh and the last, the second by a witness too. */
  async function grown(context: TestContext): Promise<TestServer> {
    const server = await testServer({ db: await open(context) });
    const log = createServerLog(server.ports);
    const ana = await server.account("ana");
    const bo = await server.account("bo");
    const tips = new Map<string, string>();
    for (let n = 0; n < 9; n++) {
      const by = n % 3 === 2 ? bo : ana;
      const parentId = tips.get(by.id);
      const { id } = await server.commit(by, { payload: { n }, ...(parentId && { parentId }) });
      tips.set(by.id, id);
      if (n !== 2 && n !== 6 && n !== 8) continue;
      const signed = await log.checkpointNow();
      if (n !== 6 || !signed) continue;
      const witness = {
        witnessId: witnessId(WITNESS.agentId),
        publicKey: WITNESS.agentId,
        name: "wit",
        endpoint: null,
        registeredMs: 0,
      };
      const signature = WITNESS.sign(checkpointText(signed));
      await log.keepSignature(witness, signed, { signature, witnessedAt: undefined });
    }
    return server;
  }

  describe(`server ledger check: ${name}`, () => {
    test("a ledger that nobody touched is sound, also with a pruned payload", async (context) => {
      await using server = await grown(context);
      expect(await check(server)).toMatchObject({
        isSound: true,
        commits: 9,
        checkpoints: 3,
        values: 9,
        erased: 0,
        first: null,
        problems: {},
      });
      await server.db.write(async (tx) => {
        await tx.run("DELETE FROM ledger_payloads WHERE position = 4");
        await tx.run("INSERT INTO ledger_pruned (position, pruned_ms) VALUES (4, 1)");
      });
      expect(await check(server)).toMatchObject({ isSound: true, values: 8, erased: 1 });
    });

    test("a row that cannot be read is named, not the first of those read with it", async (context) => {
      await using server = await grown(context);
      const undone = new Error("undone");
      const attempt = server.db.write(async (tx) => {
        const short = new Uint8Array(5);
        await tamperServer(
          tx,
          server.db.dialect,
          "UPDATE ledger_commits SET leaf = ? WHERE position = 7",
          short,
        );
        const { first } = await checkEntries(tx, 0, 9);
        expect(first).toEqual({ kind: "unreadable", position: 7, id: null });
        throw undone;
      });
      await expect(attempt).rejects.toBe(undone);
    });

    test("whatever is altered, the look through names what and where", async (context) => {
      const hash = fromHex("ab".repeat(32)) ?? new Uint8Array();
      const cases: [sql: string, values: (Uint8Array | string)[], kind: string, position: number | null][] = [
        ["UPDATE ledger_payloads SET payload = '{\"n\":7}' WHERE position = 4", [], "payload_hash", 4],
        ["UPDATE ledger_payloads SET payload = '{' WHERE position = 4", [], "payload_hash", 4],
        ["DELETE FROM ledger_payloads WHERE position = 4", [], "value_lost", 4],
        ["UPDATE ledger_commits SET payload_hash = ? WHERE position = 3", [hash], "payload_hash", 3],
        ["UPDATE ledger_commits SET chain_hash = ? WHERE position = 8", [hash], "chain_hash", 8],
        ["UPDATE ledger_commits SET integrity_hash = ? WHERE position = 8", [hash], "integrity_hash", 8],
        ["UPDATE ledger_commits SET key_id = 'x' WHERE position = 8", [], "integrity_hash", 8],
        [`UPDATE ledger_commits SET claims = '{${CLAIMED_SIGNED}' WHERE position = 4`, [], "client_proof", 4],
        [`UPDATE ledger_commits SET claims = '{${CLAIMED_VALID}' WHERE position = 4`, [], "client_proof", 4],
        [`UPDATE ledger_commits SET claims = '{${CLAIMED_JUNK}' WHERE position = 4`, [], "client_proof", 4],
        ["UPDATE ledger_commits SET claims = 'x' WHERE position = 4", [], "unreadable", 4],
        ["UPDATE ledger_commits SET claims = '[]' WHERE position = 4", [], "unreadable", 4],
        ["UPDATE ledger_commits SET claims = NULL WHERE position = 4", [], "unreadable", 4],
        ["UPDATE ledger_commits SET accepted_ms = 9000000000000000 WHERE position = 4", [], "unreadable", 4],
        ["UPDATE ledger_commits SET parent = NULL WHERE position = 4", [], "chain_hash", 4],
        ["UPDATE ledger_commits SET root = 2 WHERE position = 7", [], "parent", 7],
        ["UPDATE ledger_commits SET depth = 9 WHERE position = 8", [], "parent", 8],
        ["UPDATE ledger_commits SET account = account + 1 WHERE position = 4", [], "parent", 4],
        ["UPDATE ledger_commits SET accepted_ms = accepted_ms + 1000 WHERE position = 5", [], "leaf", 5],
        ["UPDATE ledger_commits SET leaf = ? WHERE position = 6", [hash], "leaf", 6],
        ["UPDATE ledger_commits SET nodes = ? WHERE position = 1", [hash], "node", 1],
        ["UPDATE ledger_commits SET log_root = ? WHERE position = 6", [hash], "log_root", 6],
        ["DELETE FROM ledger_commits WHERE position = 5", [], "missing", 5],
        ["DELETE FROM ledger_commits WHERE position = 8", [], "missing", 8],
        ["UPDATE ledger_tail SET size = 8", [], "tail", null],
        [
          "UPDATE ledger_checkpoints SET tree_root = ? WHERE tree_size = 7",
          ["ab".repeat(32)],
          "checkpoint",
          6,
        ],
        [
          "UPDATE ledger_checkpoints SET server_sig = ? WHERE tree_size = 9",
          ["ab".repeat(64)],
          "checkpoint",
          8,
        ],
        ["DELETE FROM ledger_checkpoints WHERE tree_size = 3", [], "checkpoint", 6],
        ["UPDATE ledger_witness_signatures SET signature = ?", ["ab".repeat(64)], "witness_signature", 6],
        ["INSERT INTO ledger_payloads (position, payload) VALUES (9, '{}')", [], "value", null],
      ];
      await using server = await grown(context);
      for (const [sql, values, kind, position] of cases) {
        const undone = new Error("undone");
        const attempt = server.db.write(async (tx) => {
          await tamperServer(tx, server.db.dialect, sql, ...values);
          const report = await check(server, tx);
          expect(report, sql).toMatchObject({ isSound: false, first: { kind, position } });
          throw undone;
        });
        await expect(attempt).rejects.toBe(undone);
      }
      expect(await check(server)).toMatchObject({ isSound: true });
    });
  });
}
