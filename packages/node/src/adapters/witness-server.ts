import { existsSync } from "node:fs";
import { join } from "node:path";
import { MINUTE_MS, reasonOf, systemClock } from "@darkmatter/core";
import { createVerifier, type Signer } from "@darkmatter/identity";
import { createWitnessServer, openLinesFile } from "@darkmatter/ledger/server";
import { createUndiciWire } from "@darkmatter/net";
import { spkiPem } from "@darkmatter/proof";
import { runJobs, serveHttp } from "@darkmatter/surface";
import { nodeError } from "../errors.ts";
import { openLog } from "./log.ts";
import { makeLogKey, readLogKey } from "./log-key-file.ts";
import { makeFolders } from "./make-folders.ts";
import { tryAcquire } from "./owner-lock.ts";
import { type PinnedLogKeys, type PinOptions, pinnedLogKeys } from "./pinned-log-keys.ts";

export interface WitnessServerOptions extends PinOptions {
  readonly home: string;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly trustProxy: boolean;
}

export interface RunningWitnessServer extends AsyncDisposable, PinnedLogKeys {
  readonly url: string;
  readonly folder: string;
  readonly log: string;
  readonly witnessId: string;
  /** Its own key, PEM. */
  readonly publicKey: string;
}

/** A witness in this process: its key and what it signed in `<home>/witness/`. One at a time has it. */
export async function startWitnessServer(options: WitnessServerOptions): Promise<RunningWitnessServer> {
  const folder = join(options.home, "witness");
  const logFile = join(folder, "witness.log");
  await using undo = new AsyncDisposableStack();
  makeFolders(folder);
  const attempt = await tryAcquire(join(folder, "owner.lock"));
  if (attempt.kind === "unusable") throw nodeError(attempt.trouble);
  if (attempt.kind === "busy")
    throw nodeError("WITNESS_RUNS", `Another process is the witness of ${folder}.`);
  undo.defer(() => attempt.lock.release());
  const wire = createUndiciWire();
  undo.defer(() => wire.close());
  const { logKeys, uncompared } = await pinnedLogKeys(folder, options, wire);
  const signer = ownKey(folder);
  const log = undo.use(openLog(logFile));
  const witness = createWitnessServer({
    clock: systemClock,
    signer,
    verifier: createVerifier(),
    logKeys,
    logUrl: options.logUrl,
    wire,
    file: await openLinesFile(join(folder, "signed.jsonl")),
    report: (event, context) => log.warn(event, context),
    trustProxy: options.trustProxy,
  });
  undo.defer(() => witness.stop());
  await witness.start();
  const http = await serveHttp({
    handler: witness.handler,
    host: options.host,
    port: options.port,
    maxBodyBytes: witness.maxBodyBytes,
    onError: (error) => log.warn("http.failed", { reason: reasonOf(error) }),
  });
  undo.defer(() => http.close());
  const turnOver = { name: "log", periodMs: MINUTE_MS, run: async () => log.turnOver() };
  undo.use(runJobs([turnOver], systemClock, (job, reason) => log.warn("job.failed", { job, reason })));
  log.info("witness.started", { url: http.url, witness: witness.witnessId });

  const running = undo.move();
  return {
    url: http.url,
    folder,
    log: logFile,
    witnessId: witness.witnessId,
    publicKey: spkiPem(signer.agentId),
    logKeys,
    uncompared,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Made at the first start. One that is gone while its signatures are there would be another witness. */
function ownKey(folder: string): Signer {
  const file = join(folder, "witness.key");
  if (existsSync(file) || existsSync(join(folder, "signed.jsonl")))
    return readLogKey({ text: undefined, file });
  return makeLogKey(file);
}
