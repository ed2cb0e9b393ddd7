import type { DarkMatterError } from "@darkmatter/core";
import { hasCode, reasonOf } from "@darkmatter/core";
import type { Agent, OwningOptions } from "../../adapters/owning.ts";
import { shellQuoted } from "../../setup/skill.ts";
import { type Finding, fail, ok } from "../finding.ts";
import { findAgent, openTo, type Typing } from "./patient.ts";

/** The key: there, readable, whole, and nobody else's to read. */
export async function checkKey(
  options: OwningOptions,
  { command }: Typing,
): Promise<{ readonly findings: readonly Finding[]; readonly agent?: Agent }> {
  try {
    const found = await findAgent(options);
    if ("expected" in found)
      return {
        findings: [
          fail("key", `there is no agent here yet: no passport at ${found.expected}`, command("up")),
        ],
      };
    const { passportPath: path, signer } = found;
    if (openTo(path) === 0) return { findings: [ok("key", `${signer.agentId}, ${path}`)], agent: found };
    const finding = fail("key", `${path} can be read by others`, `chmod 600 ${shellQuoted(path)}`);
    return { findings: [finding], agent: found };
  } catch (error) {
    return { findings: [fail("key", reasonOf(error), fixOf(error, command("passport restore FILE")))] };
  }
}

function fixOf(error: unknown, restore: string): string {
  const path = /^The passport (.+) is damaged/.exec(reasonOf(error))?.[1];
  if (hasCode(error, "PASSPORT_DAMAGED") && path)
    return `mv ${shellQuoted(path)} ${shellQuoted(`${path}.damaged`)} && ${restore}`;
  if (hasCode(error, "PASSPORT_GONE")) return restore;
  return (error as Partial<DarkMatterError>).hint ?? "See the reason.";
}
