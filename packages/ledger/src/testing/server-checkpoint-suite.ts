import { createSigner, createVerifier } from "@darkmatter/identity";
import { signedCheckpointOf, verifyNodeCheckpoint } from "@darkmatter/proof";
import type { Database } from "@darkmatter/store";
import { describe, expect, type TestContext, test } from "vitest";
import { createCheckpoints } from "../checkpoints/checkpoints.ts";
import { checkServerLedger } from "../server/log/ledger-check.ts";
import { type LogKeys, signedLog } from "../server/log/log-keys.ts";
import { createServerLog } from "../server/log/server-log.ts";
import { type OpenShared, twoServers } from "./accounts-suite.ts";
import { testServer } from "./test-server.ts";

/** Opens a database with a ledger server's tables that holds nothing yet; may `context.skip` what cannot run here. */
export type OpenServerDatabase = (context: TestContext) => Promise<Database>;

/** What a server's checkpoints are on every database: run it on yours. */
export function checkpointSuite(name: string, open: OpenServerDatabase): void {
  const opened = async (context: TestContext) => testServer({ db: await open(context) });

  describe(`server checkpoints: ${name}`, () => {
    test("a checkpoint says what the log is, follows the one before, and is made only when the log grew", async (context) => {
      await using server = await opened(context);
      const ana = await server.account("ana");
      const log = createServerLog(server.ports);
      expect(await log.checkpointNow()).toBeUndefined();
      await server.commit(ana, { payload: { n: 1 } });

      const first = await log.checkpointNow();
      expect(await log.checkpointNow()).toEqual(first);
      for (let n = 2; n <= 4; n++) await server.commit(ana, { payload: { n } });
      const second = await log.checkpointNow();

      const { agentId } = server.ports.logKey;
      expect(signedCheckpointOf({ ...first })).toEqual(first);
      expect(first).toMatchObject({ tree_size: 1, position: 0, log_position: 0, previous_cp_id: null });
      expect(second).toMatchObject({
        tree_size: 4,
        position: 3,
        previous_cp_id: first?.checkpoint_id,
        previous_tree_root: first?.tree_root,
      });
      const { verify } = createVerifier({ threads: "never" });
      for (const one of [first, second])
        expect(one && (await verifyNodeCheckpoint(one, agentId, verify))).toBe(true);
      expect(await log.checkpoints.from(server.db, 0)).toEqual([first, second]);
    });

    test("what was signed can be neither changed nor removed nor followed by less", async (context) => {
      await using server = await opened(context);
      const log = createServerLog(server.ports);
      await server.commit(await server.account("ana"), { payload: {} });
      const signed = await log.checkpointNow();
      const attacks = [
        "UPDATE ledger_checkpoints SET tree_root = 'other'",
        "DELETE FROM ledger_checkpoints",
        "INSERT INTO ledger_checkpoints SELECT 0, 'other', '', '', '', NULL, NULL, '' FROM ledger_checkpoints",
      ];
      for (const sql of attacks)
        await expect(
          server.db.write((tx) => tx.run(sql)),
          sql,
        ).rejects.toThrow();
      expect(await log.checkpoints.from(server.db, 0)).toEqual([signed]);
    });

    test("a log whose key is another one is not served, unless the key that signed it is named with its end", async (context) => {
      await using server = await opened(context);
      const { ports } = server;
      await server.commit(await server.account("ana"), { payload: {} });
      const signed = await createServerLog(ports).checkpointNow();
      const logKey = createSigner(new Uint8Array(32).fill(9));
      const started = (formerLogKeys: typeof ports.formerLogKeys) =>
        createServerLog({ ...ports, logKey, formerLogKeys }).start();
      const publicKey = ports.logKey.agentId;

      await expect(started([])).rejects.toMatchObject({ code: "LOG_KEY_WRONG" });
      await expect(started([{ publicKey, validUntil: "2026-11-21T09:59:59Z" }])).rejects.toMatchObject({
        code: "LOG_KEY_WRONG",
      });
      await started([{ publicKey, validUntil: signed?.timestamp ?? "" }]);
    });

    test("after a change of keys the whole log is still checked, and no key that signed it may be left out", async (context) => {
      await using server = await opened(context);
      const { ports, db } = server;
      const ana = await server.account("ana");
      await server.commit(ana, { payload: {} });
      const signed = await createServerLog(ports).checkpointNow();
      const former = [{ publicKey: ports.logKey.agentId, validUntil: signed?.timestamp ?? "" }];
      const changed = {
        ...ports,
        logKey: createSigner(new Uint8Array(32).fill(9)),
        formerLogKeys: former,
      };
      await server.commit(ana, { payload: {} });
      const later = await createServerLog(changed).checkpointNow();

      expect(later).toMatchObject({ tree_size: 2, previous_cp_id: signed?.checkpoint_id });
      const { verifier } = ports;
      const checked = (keys: LogKeys) => checkServerLedger(db, { keys, verifier });
      const current = changed.logKey.agentId;
      expect(await checked({ current, former })).toMatchObject({ isSound: true, checkpoints: 2 });
      expect(await checked({ current, former: [] })).toMatchObject({ isSound: false, badCheckpoints: 1 });
      await createServerLog(changed).start();
      const overBefore = [{ publicKey: ports.logKey.agentId, validUntil: "2026-11-21T09:59:59Z" }];
      for (const wrong of [
        { ...changed, formerLogKeys: [] },
        { ...changed, formerLogKeys: overBefore },
        ports,
      ])
        await expect(createServerLog(wrong).start()).rejects.toMatchObject({ code: "LOG_KEY_WRONG" });
    });

    test("of two keys that come to a new log at once one has it, and the other signs nothing", async (context) => {
      await using db = await open(context);
      await using made = await testServer({ db: await open(context) });
      const ports = { ...made.ports, db };
      const servers = [1, 2].map((seed) =>
        createServerLog({ ...ports, logKey: createSigner(new Uint8Array(32).fill(seed)) }),
      );
      const started = await Promise.allSettled(servers.map((server) => server.start()));
      expect(started.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
      for (const [at, { status }] of started.entries()) {
        const signing = servers[at]?.checkpointNow();
        if (status === "fulfilled") expect(await signing).toBeUndefined();
        else await expect(signing).rejects.toMatchObject({ code: "LOG_KEY_WRONG" });
      }
      const taken = started.findIndex(({ status }) => status === "fulfilled");
      expect(await signedLog(db)).toEqual({ publicKey: servers[taken]?.keys.current, signedAt: undefined });
      for (const sql of ["DELETE FROM ledger_log_keys", "UPDATE ledger_log_keys SET public_key = 'x'"])
        await expect(
          db.write((tx) => tx.run(sql)),
          sql,
        ).rejects.toThrow();
    });

    test("a server whose log went over to another key signs no more, and ends", async (context) => {
      await using server = await opened(context);
      const { ports, db } = server;
      const ana = await server.account("ana");
      await server.commit(ana, { payload: {} });
      const reports: string[] = [];
      const [before, idle] = [1, 2].map(() =>
        createServerLog({ ...ports, report: (event) => void reports.push(event) }),
      );
      await before?.start();
      await idle?.start();
      const signed = await before?.checkpointNow();
      const after = createServerLog({
        ...ports,
        logKey: createSigner(new Uint8Array(32).fill(9)),
        formerLogKeys: [{ publicKey: ports.logKey.agentId, validUntil: "2099-01-01T00:00:00Z" }],
      });
      await after.start();
      await server.commit(ana, { payload: {} });

      await expect(before?.checkpointNow()).rejects.toMatchObject({ code: "LOG_KEY_WRONG" });
      expect(await before?.ended).toMatchObject({ code: "LOG_KEY_WRONG" });
      await before?.stop();
      // One that signs nothing at the moment finds out, too, before it publishes its key.
      await idle?.jobs
        .find(({ name }) => name === "ledger.follow")
        ?.run()
        .catch(() => undefined);
      expect(await idle?.ended).toMatchObject({ code: "LOG_KEY_WRONG" });
      expect(reports).toEqual(["ledger.ended", "ledger.ended"]);
      expect(await after.checkpoints.latest(db)).toEqual(signed);
      expect(await after.checkpointNow()).toMatchObject({ tree_size: 2 });
    });

    test("a checkpoint that another key made by the way is not followed", async (context) => {
      await using server = await opened(context);
      const ana = await server.account("ana");
      await server.commit(ana, { payload: {} });
      const log = createServerLog(server.ports);
      const stranger = createSigner(new Uint8Array(32).fill(9));
      const theirs = createCheckpoints({ clock: server.clock, signer: stranger }, log.log);
      await server.db.write((tx) => theirs.make(tx));
      await server.commit(ana, { payload: {} });
      await expect(log.checkpointNow()).rejects.toMatchObject({ code: "LOG_KEY_WRONG" });
      await expect(log.start()).rejects.toMatchObject({ code: "LOG_KEY_WRONG" });
    });

    test("the log is signed each ten minutes, if it grew", async (context) => {
      await using server = await opened(context);
      await server.commit(await server.account("ana"), { payload: {} });
      const log = createServerLog(server.ports);
      const job = log.jobs.find(({ name }) => name === "ledger.checkpoint");
      expect(job).toMatchObject({ periodMs: 600_000, atStart: true });
      await job?.run();
      await job?.run();
      expect(await log.checkpoints.from(server.db, 0)).toHaveLength(1);
    });
  });
}

/** What only several processes on one database can get wrong. */
export function checkpointRaceSuite(name: string, open: OpenShared): void {
  test(`${name}: two processes that sign one log at once sign each size of it once`, async (context) => {
    const shared = await open(context);
    await using servers = await twoServers(shared);
    const { server, second } = servers;
    const ana = await server.account("ana");
    const logs = [server, second].map(({ ports }) => createServerLog(ports));
    for (let round = 0; round < 3; round++) {
      await Promise.all(Array.from({ length: 4 }, () => server.commit(ana, { payload: { round } })));
      const made = await Promise.all(Array.from({ length: 16 }, (_, at) => logs[at % 2]?.checkpointNow()));
      expect(new Set(made.map((one) => one?.checkpoint_id)).size).toBe(1);
    }
    const all = await logs[0]?.checkpoints.from(server.db, 0);
    expect(all?.map(({ tree_size }) => tree_size)).toEqual([4, 8, 12]);
    expect(all?.map(({ previous_cp_id }) => previous_cp_id)).toEqual([
      null,
      ...(all?.slice(0, -1).map(({ checkpoint_id }) => checkpoint_id) ?? []),
    ]);
  });

  test(`${name}: a checkpoint made while others commit says what the log was`, async (context) => {
    await using servers = await twoServers(await open(context));
    const { server, second } = servers;
    const [ana, log] = [await server.account("ana"), createServerLog(second.ports)];
    const commits = Promise.all(Array.from({ length: 40 }, (_, n) => server.commit(ana, { payload: { n } })));
    for (let made = 0; made < 10; made++) await log.checkpointNow();
    await commits;
    await log.checkpointNow();
    for (const { tree_size, tree_root, log_root } of await log.checkpoints.from(server.db, 0)) {
      const head = await log.log.headAt(server.db, tree_size);
      expect(head).toEqual({ size: tree_size, treeRoot: tree_root, logRoot: log_root });
    }
  });
}
