import { join } from "node:path";
import { reasonOf, systemClock, systemRandom } from "@darkmatter/core";
import { createVerifier } from "@darkmatter/identity";
import { createAnchor } from "@darkmatter/mesh";
import { openSqlite } from "@darkmatter/store";
import { createHandler, type HttpServer, largestBody, runJobs, serveHttp } from "@darkmatter/surface";
import { nodeError } from "../errors.ts";
import { openLog } from "./log.ts";
import { makeFolders } from "./make-folders.ts";
import { tryAcquire } from "./owner-lock.ts";

export interface AnchorServerOptions {
  readonly home: string;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly trustProxy: boolean;
}

export interface AnchorServer extends AsyncDisposable {
  readonly url: string;
  readonly folder: string;
  readonly log: string;
}

/** An anchor in this process, its state in `<home>/anchor/`. One at a time has it. */
export async function startAnchorServer(options: AnchorServerOptions): Promise<AnchorServer> {
  const folder = join(options.home, "anchor");
  const logFile = join(folder, "anchor.log");
  await using undo = new AsyncDisposableStack();
  makeFolders(folder);
  const attempt = await tryAcquire(join(folder, "owner.lock"));
  if (attempt.kind === "unusable") throw nodeError(attempt.trouble);
  if (attempt.kind === "busy")
    throw nodeError("ANCHOR_RUNS", `Another process serves the anchor in ${folder}.`);
  undo.defer(() => attempt.lock.release());
  const log = undo.use(openLog(logFile));
  const db = undo.use(
    await openSqlite({
      path: join(folder, "anchor.db"),
      report: (error) => log.warn("after-commit.failed", { reason: reasonOf(error) }),
    }),
  );
  const anchor = createAnchor({
    db,
    clock: systemClock,
    random: systemRandom,
    verifier: createVerifier(),
    config: { trustProxy: options.trustProxy },
  });
  await anchor.start();
  undo.defer(() => anchor.stop());
  const http = await served(anchor.routes, options, log);
  undo.defer(() => http.close());
  const jobs = [...anchor.jobs, { name: "log", periodMs: 60_000, run: async () => log.turnOver() }];
  undo.use(runJobs(jobs, systemClock, (job, reason) => log.warn("job.failed", { job, reason })));
  log.info("anchor.started", { url: http.url });

  const running = undo.move();
  return { url: http.url, folder, log: logFile, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

function served(
  routes: ReturnType<typeof createAnchor>["routes"],
  { host, port }: AnchorServerOptions,
  log: ReturnType<typeof openLog>,
): Promise<HttpServer> {
  const handler = createHandler(routes, {
    onError: ({ method, route, error }) =>
      log.warn("route.failed", { method, route, reason: reasonOf(error) }),
  });
  const onError = (error: unknown) => log.warn("http.failed", { reason: reasonOf(error) });
  return serveHttp({ handler, host, port, maxBodyBytes: largestBody(routes), onError });
}
