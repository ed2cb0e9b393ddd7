import { join } from "node:path";
import type { JsonObject } from "@darkmatter/core";
import type { ErasurePlan } from "@darkmatter/ledger";
import { nodeFiles } from "@darkmatter/store";
import { type Command, type CommandInput, EXIT_OK, type ExitCode } from "@darkmatter/surface";
import { confirmed } from "../adapters/confirm.ts";
import { stateFilePath, writeState } from "../adapters/state-file.ts";
import { look } from "../adapters/visit.ts";
import { parseConfig } from "../config.ts";
import type { MainOptions } from "../main-options.ts";
import { commitNamed, isListNumber } from "./commit-naming.ts";
import { brief, owningOptions, rows, shortId, visiting } from "./context.ts";
import { COMMIT } from "./ledger-history.ts";
import { lookingAtLedger } from "./ledger-look.ts";

export function eraseCommand(main: MainOptions): Command {
  return {
    name: "erase",
    summary: "erase what was kept of a commit, or of all about a message; the chain stays whole",
    arguments: [COMMIT, { name: "field...", required: false, summary: "only these, such as content" }],
    options: [{ flags: "--yes", summary: "without asking first" }],
    run: (input) => erase(input, main),
  };
}

async function erase(input: CommandInput, main: MainOptions): Promise<ExitCode> {
  const fields = input.lists.field ?? [];
  const { what, plan } = await lookingAtLedger(input, main, async (look) => {
    const { db, ledger } = look;
    const named = input.args.commit ?? "";
    const about = isListNumber(named) ? [] : await ledger.commits.ofTrace(db, named);
    // A message is all that was committed about it; everything else is one commit.
    const what = about.length > 0 ? named : (await commitNamed(look, named)).id;
    return { what, plan: await ledger.planErasure(db, what, fields.length > 0 ? fields : "all") };
  });
  input.out.line(planText(plan));
  if (input.options.yes !== true) await confirmed("Erase this? It cannot be undone.");
  const result = await visiting(input, main, "act", ({ call }) =>
    call("darkmatter_ledger_erase", { what, ...(fields.length > 0 && { fields: [...fields] }) }),
  );
  const removed = await eraseCopies(input, main, result);
  input.out.result(erasedText(result, removed), { ...result, removed_exports: removed });
  return EXIT_OK;
}

const HASHES_LEFT =
  "A hash of the words stays too, by which a guess can be tested (erase these fields as well if the words are short):";

/** Acts whose last word lies in the node's own tables as well, for as long as it holds. */
const STILL_USED = /^(connection\.opened|impression\.set)$/;

/** Exactly what goes, and what does not. */
function planText({ steps, messageIds, hashesLeft }: ErasurePlan): string {
  const peers = [...new Set(steps.flatMap(({ peer }) => (peer === null ? [] : [shortId(peer)])))];
  return [
    "To be erased here, with the salts, for ever:",
    ...steps.map(
      ({ commitId, act, fields }) =>
        `  ${commitId}  ${brief(act, 24).padEnd(18)}  ${fields.map((name) => brief(name, 40)).join(", ")}`,
    ),
    ...messageIds.map(
      (id) =>
        `  ${brief(id, 128)}: its words and its answers', in the inbox, in what was sent, in conversations`,
    ),
    "What stays: the commits themselves (who, what kind of act, when) and commitments that nobody can open any more.",
    ...(steps.some(({ act }) => STILL_USED.test(act))
      ? [
          "What the node goes by now stays, too: whom it is connected to and where, and what you think of agents.",
        ]
      : []),
    ...(hashesLeft.length > 0
      ? [
          `${HASHES_LEFT} ${hashesLeft.map(({ commitId, fields }) => `${commitId} (${fields.join(", ")})`).join(", ")}`,
        ]
      : []),
    peers.length > 0
      ? `What others hold is not erased: ${peers.join(", ")}, whoever they told, and every export or backup made before.`
      : "Exports and backups made before are not erased.",
  ].join("\n");
}

function erasedText(result: JsonObject, removed: readonly string[]): string {
  const erased = rows(result, "erased");
  const count = erased.reduce((sum, { fields }) => sum + (Array.isArray(fields) ? fields.length : 0), 0);
  const done = `Erased ${count === 1 ? "1 value" : `${count} values`} of ${erased.length === 1 ? "1 commit" : `${erased.length} commits`}.`;
  const copies =
    result.purged === true
      ? "No copy is left in the database's files."
      : "Another process still reads an older state: copies in the database's files go with the next erasing or stop.";
  const exports = removed.map((path) => `Removed with them: ${path}`);
  return [`${done} ${copies}`, ...exports, "The chain is whole: darkmatter fsck"].join("\n");
}

/** Copies that this node made by itself: the JSON state for older nodes, and what its agent exported. The latter's paths. */
async function eraseCopies(input: CommandInput, main: MainOptions, result: JsonObject): Promise<string[]> {
  return look(owningOptions(input, main), async ({ agent, db, layer }) => {
    const { agentId } = agent.signer;
    const state = stateFilePath(agent.home, agentId, parseConfig(process.env).stateFile);
    if (await nodeFiles.exists(state)) await writeState(db, layer, state, agentId);
    const commits = rows(result, "erased").map(({ commit }) => String(commit));
    const removed: string[] = [];
    for (const name of await nodeFiles.list(agent.places.exports)) {
      const path = join(agent.places.exports, name);
      const text = (await nodeFiles.read(path)) ?? "";
      if (!commits.some((commit) => text.includes(commit))) continue;
      await nodeFiles.remove(path);
      removed.push(path);
    }
    return removed;
  });
}
