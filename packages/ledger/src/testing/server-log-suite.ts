import { isJsonObject, type JsonObject } from "@darkmatter/core";
import { createSigner, createVerifier } from "@darkmatter/identity";
import {
  checkpointText,
  leafHash,
  type SignedCheckpoint,
  signedCheckpointOf,
  spkiPem,
  verifyCheckpoint,
  verifyConsistency,
  verifyInclusion,
  witnessId,
} from "@darkmatter/proof";
import { describe, expect, type TestContext, test } from "vitest";
import type { OpenServerDatabase } from "./server-checkpoint-suite.ts";
import { tamperServer } from "./server-damage.ts";
import { ADMIN, type WitnessedLog, witnessedLog } from "./witnessed-log.ts";

const { verify } = createVerifier({ threads: "never" });

/** The log's routes and its witnesses on every database: run it on yours. */
export function serverLogSuite(name: string, open: OpenServerDatabase): void {
  const opened = async (context: TestContext) => witnessedLog({ db: await open(context) });
  const get = async ({ server }: WitnessedLog, path: string) => server.call({ path });
  const json = async (world: WitnessedLog, path: string): Promise<JsonObject> => {
    const answer = await get(world, path);
    expect(answer.status, path).toBe(200);
    return isJsonObject(answer.json) ? answer.json : {};
  };
  const signNow = async ({ server }: WitnessedLog) => {
    const answer = await server.call({ path: "/api/log/checkpoint", method: "POST", headers: ADMIN });
    expect(answer.status).toBe(200);
    return answer.json as unknown as { checkpoint: SignedCheckpoint; witnesses: object[] };
  };

  describe(`log routes: ${name}`, () => {
    test("checkpoints are shown as they were signed, the newest first", async (context) => {
      await using world = await opened(context);
      expect(await json(world, "/api/log/checkpoint")).toMatchObject({ checkpoint: null, spec_version: "3" });
      await world.grow(2);
      const { checkpoint: first } = await signNow(world);
      await world.grow(1);
      const { checkpoint: second } = await signNow(world);

      const { checkpoint } = await json(world, "/api/log/checkpoint");
      const { checkpoints } = await json(world, "/api/log/checkpoints?limit=1");
      const { agentId } = world.server.ports.logKey;
      expect(signedCheckpointOf(checkpoint ?? null)).toEqual(second);
      expect(await verifyCheckpoint(second, agentId, verify)).toBe(true);
      expect(checkpoint).toMatchObject({ position: 2, log_position: 2, schema_version: "3" });
      expect(checkpoints).toEqual([second]);
      expect((await json(world, "/api/log/checkpoints")).checkpoints).toEqual([second, first]);
      expect(await json(world, "/api/log/pubkey")).toEqual({
        algorithm: "Ed25519",
        public_key: spkiPem(agentId),
        previous: [],
      });
      expect((await get(world, "/api/log/checkpoints?limit=x")).status).toBe(400);
    });

    test("a commit's proof holds against every tree it is in, and says nothing of who or what", async (context) => {
      await using world = await opened(context);
      const { id } = await world.server.commit(world.agent, {
        payload: { secret: "word" },
        traceId: "trc_x",
      });
      await world.grow(4);
      for (const size of [undefined, 1, 3, 5]) {
        const path = `/api/log/proof/${id}${size === undefined ? "" : `?tree_size=${size}`}`;
        const proof = await json(world, path);
        const { inclusion_proof, tree_root, tree_size, leaf_envelope, leaf_hash } = proof as never as {
          inclusion_proof: { leaf_index: number; tree_size: number; proof: never[] };
          tree_root: string;
          tree_size: number;
          leaf_envelope: Parameters<typeof leafHash>[0];
          leaf_hash: string;
        };
        expect(tree_size).toBe(size ?? 5);
        expect(leafHash(leaf_envelope)).toBe(leaf_hash);
        const { leaf_index: index, proof: steps } = inclusion_proof;
        const claim = { leaf: leaf_hash, index, size: tree_size, proof: steps, root: tree_root };
        expect(verifyInclusion(claim)).toBe(true);
        expect(proof).toMatchObject({ commit_id: id, log_position: 0, consistent: true });
        const text = JSON.stringify(proof) + JSON.stringify(await json(world, `/api/log/entry/${id}`));
        for (const hidden of ["word", "trc_x", world.agent.id, world.agent.name, "account"])
          expect(text).not.toContain(hidden);
      }
      for (const size of ["0", "6", "-1", "1e1"])
        expect((await get(world, `/api/log/proof/${id}?tree_size=${size}`)).status, size).toBe(400);
      for (const what of ["proof", "entry"])
        expect((await get(world, `/api/log/${what}/ctx_1_000000000000`)).status).toBe(404);
    });

    test("a stretch of the log is computed anew, at most a thousand entries of it", async (context) => {
      await using world = await opened(context);
      expect(await json(world, "/api/log/verify")).toMatchObject({ consistent: true, entries_checked: 0 });
      await world.grow(6);
      expect(await json(world, "/api/log/verify?from=1&to=3")).toMatchObject({
        consistent: true,
        broken_at: null,
        entries_checked: 3,
        next_from: null,
      });
      expect((await get(world, "/api/log/verify?from=6")).status).toBe(400);
      const sql = "UPDATE ledger_commits SET accepted_ms = 1 WHERE position = 4";
      await world.server.db.write((tx) => tamperServer(tx, world.server.db.dialect, sql));
      expect(await json(world, "/api/log/verify")).toMatchObject({
        consistent: false,
        broken_at: 4,
        reason: "leaf",
      });
      const { id } = (await world.server.db.get<{ id: string }>(
        "SELECT id FROM ledger_commits WHERE position = 4",
      )) ?? { id: "" };
      expect(await json(world, `/api/log/proof/${id}`)).toMatchObject({ consistent: false });
      await expect(world.log.start()).rejects.toMatchObject({ code: "LEDGER_DAMAGED" });
    });

    test("that the log only grew between two checkpoints is proved, not only said", async (context) => {
      await using world = await opened(context);
      await world.grow(3);
      const { checkpoint: first } = await signNow(world);
      await world.grow(4);
      await signNow(world);
      await world.grow(1);
      const { checkpoint: last } = await signNow(world);
      const found = (await json(
        world,
        `/api/log/consistency?from=${first.checkpoint_id}&to=latest`,
      )) as never as {
        proof: string[];
      };
      expect(found).toMatchObject({
        consistent: true,
        reason: null,
        old_root_ok: true,
        new_root_ok: true,
        sig_a_ok: true,
        sig_b_ok: true,
        chain_linked: false,
        tree_sizes: [3, 8],
        first_size: 3,
        second_size: 8,
      });
      const claim = { firstSize: 3, firstRoot: first.tree_root, secondSize: 8, secondRoot: last.tree_root };
      expect(verifyConsistency({ ...claim, proof: found.proof })).toBe(true);
      expect((await get(world, "/api/log/consistency?from=cp_1_00000000")).status).toBe(404);
      expect((await get(world, `/api/log/consistency?from=latest&to=first`)).status).toBe(400);
    });

    test("only an operator signs the log by hand or registers a witness", async (context) => {
      await using world = await opened(context);
      await world.grow(1);
      const credentials = ["", "Bearer admin", `Bearer ${world.agent.key}`];
      for (const path of ["/api/log/checkpoint", "/api/admin/witnesses"]) {
        for (const authorization of credentials) {
          const headers = { authorization };
          const answer = await world.server.call({ path, method: "POST", body: {}, headers });
          expect(answer, path).toMatchObject({ status: 401, json: { code: "unauthorized" } });
        }
      }
      expect(await world.log.checkpoints.latest(world.server.db)).toBeUndefined();
      expect((await world.register()).json).toMatchObject({ name: "wit", registered: true });
    });
  });

  describe(`witnesses: ${name}`, () => {
    test("a registered witness is asked after a checkpoint, and each next time with a proof", async (context) => {
      await using world = await opened(context);
      const id = witnessId(world.witnessSigner.agentId);
      expect(await world.register()).toMatchObject({ status: 200, json: { witness_id: id } });
      await world.grow(2);
      await signNow(world);
      await world.grow(3);
      const { checkpoint, witnesses } = await signNow(world);

      expect(witnesses).toEqual([{ witness_id: id, outcome: "signed", reason: "" }]);
      const shown = await json(world, `/api/log/checkpoint/${checkpoint.checkpoint_id}/witnesses`);
      expect(shown).toMatchObject({
        checkpoint_id: checkpoint.checkpoint_id,
        witness_count: 1,
        witnesses: [
          {
            witness_id: id,
            name: "wit",
            sig_valid: true,
            public_key_pem: spkiPem(world.witnessSigner.agentId),
          },
        ],
      });
      const [{ witness_sig }] = shown.witnesses as unknown as [{ witness_sig: string }];
      expect(await verify(world.witnessSigner.agentId, checkpointText(checkpoint), witness_sig)).toBe(true);
      expect(await json(world, "/api/witnesses")).toMatchObject({
        witnesses: [{ witness_id: id, name: "wit", registered_at: "2026-11-21T10:00:00.000Z" }],
        count: 1,
      });
      const pem = await get(world, `/api/witnesses/${id}/pubkey`);
      expect(pem).toMatchObject({ status: 200, text: spkiPem(world.witnessSigner.agentId) });
      expect((await get(world, "/api/log/checkpoint/cp_1_00000000/witnesses")).status).toBe(404);
    });

    test("the log's own key, and what is no key, are no witness", async (context) => {
      await using world = await opened(context);
      const own = spkiPem(world.server.ports.logKey.agentId);
      for (const publicKey of [own, own.replaceAll("\n", "\r\n"), "", "-----BEGIN PUBLIC KEY-----"]) {
        const answer = await world.register({ name: "own", publicKey });
        expect(answer, publicKey).toMatchObject({ status: 400, json: { code: "key_invalid" } });
      }
      const publicKey = spkiPem(world.witnessSigner.agentId);
      for (const endpointUrl of ["ftp://a", "file:///etc/passwd", "nothing"])
        expect((await world.register({ name: "w", publicKey, endpointUrl })).status).toBe(400);
      expect(await json(world, "/api/witnesses")).toMatchObject({ count: 0 });
    });

    test("a witness hands its signature in itself: stored only if it holds, and the first one stays", async (context) => {
      await using world = await opened(context);
      await world.grow(2);
      const { checkpoint } = await signNow(world);
      await world.register({ name: "wit", publicKey: spkiPem(world.witnessSigner.agentId) });
      const id = witnessId(world.witnessSigner.agentId);
      const sign = (witness_sig: string, witness = id, checkpoint_id = checkpoint.checkpoint_id) =>
        world.server.call({
          path: "/api/witness/sign",
          headers: { "x-witness-id": witness },
          body: { checkpoint_id, witness_sig, witnessed_at: "2026-11-21T10:00:00.123Z" },
        });
      const right = world.witnessSigner.sign(checkpointText(checkpoint));
      const other = createSigner(new Uint8Array(32).fill(8));
      for (const wrong of ["", "00", "ab".repeat(64), right.slice(2), other.sign(checkpointText(checkpoint))])
        expect(await sign(wrong), wrong).toMatchObject({ status: 400, json: { code: "signature_invalid" } });
      const tree = world.witnessSigner.sign(checkpointText({ ...checkpoint, tree_root: "ab".repeat(32) }));
      expect((await sign(tree)).status).toBe(400);
      expect((await sign(right, "wit_0000000000000000")).status).toBe(401);
      expect((await sign(right, id, "cp_1_00000000")).status).toBe(404);
      const path = `/api/log/checkpoint/${checkpoint.checkpoint_id}/witnesses`;
      expect(await json(world, path)).toMatchObject({ witness_count: 0, witnesses: [] });

      expect(await sign(right)).toMatchObject({ status: 200, json: { stored: true } });
      expect(await sign(right)).toMatchObject({ status: 200 });
      expect((await sign(tree)).status).toBe(400);
      expect(await json(world, path)).toMatchObject({
        witness_count: 1,
        witnesses: [{ witness_sig: right, witnessed_at: "2026-11-21T10:00:00Z" }],
      });
    });
  });
}
