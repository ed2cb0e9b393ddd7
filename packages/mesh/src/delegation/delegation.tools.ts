import { isoTime, type JsonObject } from "@darkmatter/core";
import { type Tool, tool } from "@darkmatter/surface";
import { z } from "zod";
import { answered, oneLine } from "../answers.ts";
import type { Services } from "../services.ts";
import type { Delegation } from "./work.ts";

const READS = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false };
const SETS = { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false };
const TAIL_SHOWN_MAX = 400;

const NO_INPUT = z.object({});
const OwnerSpawnStopInput = z.object({ id: z.string().min(1).max(64) });
const OwnerSpawnSwitchInput = z.object({ on: z.boolean() });

/** What the commands `darkmatter spawn …` call. */
export function delegationTools({ db, delegations, ports }: Services): Tool[] {
  const common = { audience: "owner" as const, visible: () => true };
  return [
    tool({
      ...common,
      name: "darkmatter_owner_spawn_list",
      title: "Helpers",
      description: "Helpers that run, and the latest that have.",
      input: NO_INPUT,
      annotations: READS,
      handle: () =>
        answered(async () => {
          const { enabled: _, envCleanup: __, args: ___, ...limits } = ports.config.agent;
          const { name, found } = await delegations.command();
          return {
            success: true,
            on: delegations.isOn(),
            client: ports.config.client,
            command: name,
            command_found: found ?? null,
            max_concurrent: limits.maxConcurrent,
            max_per_hour: limits.maxPerHour,
            timeout_seconds: limits.timeoutMs / 1000,
            min_trust: limits.minTrust,
            autonomous: limits.autonomous,
            running: delegations.running(),
            helpers: (await delegations.list(db)).map((one) => shown(one, delegations.tailOf(one.id))),
          };
        }),
    }),
    tool({
      ...common,
      name: "darkmatter_owner_spawn_stop",
      title: "End a helper",
      description: "Ends a helper and everything it started.",
      input: OwnerSpawnStopInput,
      annotations: { ...SETS, destructiveHint: true },
      handle: ({ id }) =>
        answered(async () => {
          await delegations.end(id);
          return { success: true, id, stopped: true };
        }),
    }),
    tool({
      ...common,
      name: "darkmatter_owner_spawn_switch",
      title: "Helpers on or off",
      description: "Says whether helpers are started from now on; kept over restarts.",
      input: OwnerSpawnSwitchInput,
      annotations: SETS,
      handle: ({ on }) =>
        answered(async () => {
          await db.write((tx) => delegations.setOn(tx, on));
          return { success: true, on };
        }),
    }),
  ];
}

function shown(one: Delegation, tail: string | undefined): JsonObject {
  return {
    id: one.id,
    for: one.kind,
    subject: one.subject,
    peer: one.peer,
    state: one.state,
    outcome: one.outcome,
    pid: one.pid,
    granted_at: isoTime(one.grantedAtMs),
    not_after: isoTime(one.notAfterMs),
    ended_at: one.endedAtMs === null ? null : isoTime(one.endedAtMs),
    ...(tail && { last_output: oneLine(tail.slice(-TAIL_SHOWN_MAX), TAIL_SHOWN_MAX) }),
  };
}
