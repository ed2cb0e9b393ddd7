import assert from "node:assert/strict";
import type { Agent } from "../agents.ts";
import { type Checks, sleep } from "../checks.ts";
import type { Three } from "./three.ts";

/** Longer than the ten seconds between two notices. */
const WAIT_S = 12;

interface Waited {
  readonly agent: Agent;
  readonly progress: { readonly progress: number; readonly total?: number }[];
  // biome-ignore lint/suspicious/noExplicitAny: a result is looked into
  readonly result: Promise<any>;
}

/** Waits for answers that never come, begun early: they take longer than all else. */
export async function beginWaits(three: Three) {
  const waited: Waited[] = [];
  for (const [agent, target] of [
    [three.ana, three.ids.cy],
    [three.bo, three.ids.cy],
    [three.boLegacy, three.ids.cy],
  ] as const) {
    const { message_id } = await agent.ask("send_message", {
      content: "no answer, please",
      target_agent_id: target,
    });
    const progress: Waited["progress"] = [];
    const onProgress = (notice: { progress: number; total?: number }) => void progress.push(notice);
    const given = { message_id, timeout_seconds: WAIT_S };
    const result = agent.call("wait_for_response", given, { onProgress }).then(
      ({ value }) => value,
      (error: unknown) => error,
    );
    waited.push({ agent, progress, result });
  }

  return {
    async check({ check }: Checks): Promise<void> {
      await check(
        "mcp: a longer wait sends progress notices, blocks nothing, and ends by its time",
        async () => {
          for (const { agent, progress, result } of waited) {
            const value = await result;
            assert.equal(value.reason, "timeout", `${agent.kind}: ${JSON.stringify(value)}`);
            assert.equal(value.timeout_seconds, WAIT_S);
            assert.equal(progress.length, 1, `${agent.kind} heard ${progress.length} notices`);
            assert.equal(progress[0]?.total, WAIT_S);
            assert.ok(Math.round(progress[0]?.progress ?? 0) >= 10, `${progress[0]?.progress} s`);
          }
        },
      );

      await check("mcp: a cancelled wait stops at once, and its session goes on", async () => {
        for (const agent of [three.ana, three.bo, three.boLegacy, three.cy]) {
          const { message_id } = await agent.ask("send_message", {
            content: "nor here",
            target_agent_id: other(agent),
          });
          const cancel = new AbortController();
          const before = agent.answered.length;
          const waiting = agent.call("wait_for_response", { message_id }, { signal: cancel.signal });
          await sleep(200);
          const start = performance.now();
          cancel.abort();
          await assert.rejects(waiting);
          await agent.ask("list_inbox");
          assert.ok(performance.now() - start < 1500, "it answers again at once");
          await sleep(100);
          assert.ok(
            agent.answered.length - before <= 1,
            `${agent.kind}: no answer comes to a cancelled call`,
          );
        }
      });
    },
  };

  function other(agent: Agent): string {
    return agent === three.ana ? three.ids.bo : three.ids.ana;
  }
}
