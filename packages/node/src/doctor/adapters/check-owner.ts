import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { type OwnerCard, processState, readOwnerCard } from "../../adapters/owner-card.ts";
import { HELLO_MS, troubleOf } from "../../adapters/owner-search.ts";
import type { Agent } from "../../adapters/owning.ts";
import { linkToOwner } from "../../adapters/relay-link.ts";
import { socketTrouble } from "../../adapters/socket-place.ts";
import { isNewer, RELAY_PROTOCOL } from "../../handshake.ts";
import { shellQuoted } from "../../setup/skill.ts";
import type { Trouble } from "../../trouble.ts";
import { type Finding, fail, ok, warn } from "../finding.ts";
import type { Typing } from "./patient.ts";

export interface OwnerCheck {
  readonly findings: readonly Finding[];
  /** The owner that answers. */
  readonly owner?: OwnerCard | undefined;
  /** Nobody owns the state: what there is may be read from the disk alone. */
  readonly nobody: boolean;
}

/** Who owns the state: whether it lives, answers, and is as new as this program. Takes nothing over. */
export async function checkOwner(agent: Agent, version: string, { command }: Typing): Promise<OwnerCheck> {
  const { socket, places } = agent;
  const unsafe = socketTrouble(socket);
  if (unsafe) return { findings: [fail("owner", unsafe.message, unsafe.hint)], nobody: false };
  const card = readOwnerCard(places.ownerCard);
  const hello = {
    darkmatter: RELAY_PROTOCOL,
    version,
    pid: process.pid,
    session: randomUUID(),
    called: [],
  } as const;
  const link = await linkToOwner(socket, { ...hello, role: "probe" }, HELLO_MS);
  if (link.kind === "attached") {
    const { owner } = link;
    const older = isNewer(version, owner.version);
    const what = `process ${owner.pid} runs the node, version ${owner.version}`;
    const finding = older
      ? warn("owner", `${what}; this program is ${version}`, command("up"))
      : isNewer(owner.version, version)
        ? warn(
            "owner",
            `${what}; this program is ${version}`,
            "Use the newer program in your clients, too: run its `darkmatter setup`.",
          )
        : ok("owner", what);
    return {
      findings: [finding],
      owner: card ?? { ...owner, startedAt: "", host: "", port: 0 },
      nobody: false,
    };
  }
  const lock = await lockState(places.lock);
  if (lock === "damaged")
    return {
      findings: [fail("lock", `${places.lock} is damaged`, `rm ${shellQuoted(places.lock)}`)],
      nobody: true,
    };
  if (lock === "free")
    return { findings: [...goneFindings(card), ok("owner", "no node runs")], nobody: true };
  // An owner holds its lock a moment before it answers, and a moment after.
  const trouble: Trouble | undefined = troubleOf(places.ownerCard, true);
  const stopped = card && processState(card.pid) === "stopped";
  const what = trouble?.message ?? "The process that owns the state does not answer.";
  const fix = stopped ? `kill -CONT ${card.pid}` : (trouble?.hint ?? "Try again in a moment.");
  return { findings: [fail("owner", what, fix)], nobody: false };
}

/** A card of a process that is gone decides nothing: whoever starts next writes its own. */
function goneFindings(card: OwnerCard | undefined): Finding[] {
  return card === undefined
    ? []
    : [ok("lock", `free; the last node was process ${card.pid}, version ${card.version}`)];
}

const BUSY = 5;

/** Asks for the lock as a reader, which leaves it as it is. */
async function lockState(path: string): Promise<"free" | "held" | "damaged"> {
  if (!existsSync(path)) return "free";
  const { DatabaseSync } = await import("node:sqlite");
  try {
    const file = new DatabaseSync(path, { readOnly: true, timeout: 0 });
    try {
      file.prepare("SELECT count(*) FROM sqlite_schema").get();
      return "free";
    } finally {
      file.close();
    }
  } catch (error) {
    return (error as { errcode?: number }).errcode === BUSY ? "held" : "damaged";
  }
}
