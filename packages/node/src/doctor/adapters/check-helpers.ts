import { PROFILES } from "@darkmatter/mesh";
import { nodeProcesses } from "../../adapters/node-processes.ts";
import type { Config } from "../../config.ts";
import { type Finding, ok, warn } from "../finding.ts";
import type { Typing } from "./patient.ts";

/** Helpers: whether the program that would be started for a message is there. */
export async function checkHelpers({ agent, client }: Config, { command }: Typing): Promise<Finding[]> {
  if (!agent.enabled) return [ok("helpers", "off by DARKMATTER_AGENT_ENABLED: messages wait in the inbox")];
  const name = agent.command ?? PROFILES[client].command;
  const path = await nodeProcesses().find(name);
  if (path === undefined)
    return [
      warn(
        "helpers",
        `${name} is not there, so no helper can be started for a message: messages wait in the inbox`,
        `Install ${name}, set DARKMATTER_CLIENT to the client you use, or switch helpers off: ${command("spawn off")}`,
      ),
    ];
  const how = agent.autonomous
    ? "asked for no permission (DARKMATTER_AGENT_AUTONOMOUS)"
    : "with the least privilege";
  return [ok("helpers", `${path}, ${how}, for peers scored ${agent.minTrust} or more`)];
}
