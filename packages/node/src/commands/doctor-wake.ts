import type { JsonObject } from "@darkmatter/core";
import { type CommandInput, EXIT_FAILURE, EXIT_OK, type ExitCode } from "@darkmatter/surface";
import { readOwnerCard } from "../adapters/owner-card.ts";
import type { Visit } from "../adapters/visit.ts";
import { parseConfig } from "../config.ts";
import { tryWaking, type WakeReport, type WakeRung } from "../doctor/wake.ts";
import { nodeError } from "../errors.ts";
import type { MainOptions } from "../main-options.ts";
import { plain, visiting } from "./context.ts";

const MEANINGS: Readonly<Record<string, string>> = {
  stored: "the message is on this agent's disk",
  asked: "the agent was asked to wake",
  woken: "the agent started",
  read: "the agent read the message",
  acted: "the agent answered",
  refused: "the message was refused",
  expired: "the message went unanswered",
};

const WAYS: Readonly<Record<string, string>> = {
  channel: "its client's push channel",
  hook: "the hook (DARKMATTER_WAKE_HOOK)",
  delegation: "a helper",
};

/** `doctor wake`: whether a message really wakes the agent, and by what. */
export async function doctorWake(input: CommandInput, main: MainOptions): Promise<ExitCode> {
  const { out, signal } = input;
  const begun =
    "A second agent of this machine writes to this one; that it wakes may take 60 s. Ctrl-C ends it.";
  out.line(begun);
  return visiting(input, main, "act", async ({ agent, call }) => {
    const at = { url: urlOf(agent.places.ownerCard), agentId: agent.signer.agentId };
    const report = await tryWaking(call, at, signal, (rung) => out.line(rungLine(rung)));
    const advice = report.woke ? [] : await whatToDo(call, report);
    const human = [verdict(report), ...advice.map((line) => `  fix: ${line}`)].join("\n");
    out.result(human, {
      woke: report.woke,
      way: report.way,
      rungs: report.rungs.map((rung) => ({ ...rung })),
      ...(advice.length > 0 && { fixes: advice }),
    });
    return report.woke ? EXIT_OK : EXIT_FAILURE;
  });
}

function urlOf(ownerCard: string): string {
  const card = readOwnerCard(ownerCard);
  if (!card?.port) throw nodeError("NODE_FAILED", "The node does not say where it listens.");
  const host = card.host === "0.0.0.0" || card.host === "::" ? "127.0.0.1" : card.host;
  return `http://${host.includes(":") ? `[${host}]` : host}:${card.port}`;
}

function rungLine({ rung, detail, afterMs }: WakeRung): string {
  const by = detail === null ? "" : ` (${plain(WAYS[detail] ?? detail)})`;
  return `  ${(afterMs / 1000).toFixed(1).padStart(5)} s  ${rung.padEnd(7)} ${MEANINGS[rung] ?? ""}${by}`;
}

function verdict({ woke, way, rungs }: WakeReport): string {
  if (woke && way !== null) return `The agent wakes, by ${plain(WAYS[way] ?? way)}.`;
  if (woke) return "The agent was awake, and read the message without being asked.";
  const asked = rungs.find(({ rung }) => rung === "asked")?.detail;
  if (asked) return `The agent was asked to wake, first by ${plain(WAYS[asked] ?? asked)}, and did not.`;
  return "The agent does not wake: there is nothing here that could be asked.";
}

/** What keeps each way from working, as far as it can be known from here. */
async function whatToDo(call: Visit["call"], { rungs }: WakeReport): Promise<string[]> {
  const asked = rungs.find(({ rung }) => rung === "asked")?.detail;
  const helpers = await call("darkmatter_owner_spawn_list").catch((): JsonObject => ({}));
  const lines: string[] = [];
  if (asked === "channel") {
    lines.push(
      "Claude Code shows pushed notices only when started so: claude --dangerously-load-development-channels server:darkmatter",
    );
  }
  if (asked === "hook" || parseConfig(process.env).wakeHook !== undefined) {
    lines.push("See that what DARKMATTER_WAKE_HOOK names answers or starts, and then reads the inbox.");
  } else {
    lines.push(
      "Set DARKMATTER_WAKE_HOOK to a URL or a command that wakes your agent, and start the node again.",
    );
  }
  if (helpers.on === false) lines.push("Helpers are off: darkmatter spawn on");
  else if (helpers.command_found === false) {
    lines.push(
      `Helpers cannot start: ${plain(helpers.command)} is not on the PATH; set DARKMATTER_AGENT_COMMAND.`,
    );
  } else if (asked === "delegation")
    lines.push("A helper was started and called no tool: darkmatter spawn list");
  return lines;
}
