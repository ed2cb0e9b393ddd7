import { isJsonObject, type Json, type JsonObject, parseTime } from "@darkmatter/core";
import { seededRandom, virtualClock } from "@darkmatter/core/testing";
import { createVerifier } from "@darkmatter/identity";
import { createAnchor } from "@darkmatter/mesh";
import type { Handler } from "@darkmatter/net";
import { openSqlite } from "@darkmatter/store";
import { createHandler } from "@darkmatter/surface";
import { callHandler } from "@darkmatter/surface/testing";
import { type Findings, type Outcome, ran } from "../outcome.ts";

interface Step {
  readonly label?: string;
  readonly now: string;
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly body?: JsonObject;
    readonly raw_body?: string;
  };
  readonly response: { readonly status: number; readonly body: Json };
  readonly reference_weakness?: string;
}

interface Scenario {
  readonly name: string;
  readonly steps: readonly Step[];
}

interface Anchored extends AsyncDisposable {
  readonly handler: Handler;
  setNow(now: string): Promise<void>;
}

/** The directory and relay server, one fresh for each scenario (mesh.md 5.8). */
export async function* anchor(document: Json): AsyncIterable<Outcome> {
  const { scenarios } = document as unknown as { scenarios: readonly Scenario[] };
  for (const scenario of scenarios) {
    yield ran(scenario.name, async (found) => {
      await using server = await openAnchor(scenario.steps[0]?.now ?? "");
      for (const [at, step] of scenario.steps.entries()) {
        await server.setNow(step.now);
        await before(found, step, at, scenario.name, server.handler);
        await check(
          found,
          step,
          `${at + 1}. ${step.label ?? step.request.path.split("?")[0]}`,
          server.handler,
        );
      }
    });
  }
}

async function openAnchor(startedAt: string): Promise<Anchored> {
  const clock = virtualClock({ startMs: parseTime(startedAt) ?? 0 });
  const db = await openSqlite({ path: ":memory:" });
  const verifier = createVerifier({ threads: "never" });
  const served = createAnchor({
    db,
    clock,
    verifier,
    random: seededRandom(1),
    config: { trustProxy: false },
  });
  await served.start();
  const onError = ({ error }: { error: unknown }) => {
    throw error;
  };
  return {
    handler: createHandler(served.routes, { onError }),
    setNow: (now) => clock.advance(Math.max(0, (parseTime(now) ?? 0) - clock.now())),
    [Symbol.asyncDispose]: () => db.close(),
  };
}

/** Requests alike are listed once: the words tell how many came before. */
async function before(
  found: Findings,
  step: Step,
  at: number,
  name: string,
  handler: Handler,
): Promise<void> {
  const { request } = step;
  const count =
    /^eleventh/.test(name) && at === 0 ? 10 : Number(/^after (\d+) posts$/.exec(step.label ?? "")?.[1] ?? 0);
  const isPost = request.method === "POST";
  const path = isPost ? request.path : (request.path.split("?")[0] ?? "").replace("_poll/", "/");
  for (let i = 0; i < count; i++) {
    const body = isPost ? (request.body ?? {}) : { i };
    const { status } = await callHandler(handler, { method: "POST", path, body });
    found.equal(`status of request ${i + 1} of those alike`, status, 200);
  }
}

async function check(found: Findings, step: Step, label: string, handler: Handler): Promise<void> {
  const { request, response, reference_weakness: weakness } = step;
  const { method, path, body, raw_body: raw } = request;
  const sent = raw ?? body;
  const answer = await callHandler(handler, { method, path, ...(sent !== undefined && { body: sent }) });
  // "crashes in the reference; must be {success:true, buffered:true}"
  const better = weakness === undefined ? undefined : { success: true, buffered: true };
  found.equal(`status of ${label}`, answer.status, better ? 200 : response.status);
  const wanted = better ?? response.body;
  if (isJsonObject(wanted)) found.like(label, answer.json, wanted, { extraKeys: ["hint"] });
}
