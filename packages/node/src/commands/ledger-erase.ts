import type { JsonObject } from "@darkmatter/core";
import type { ErasurePlan } from "@darkmatter/ledger";
import { nodeFiles } from "@darkmatter/store";
import { type Command, type CommandInput, EXIT_OK, type ExitCode } from "@darkmatter/surface";
import { confirmed } from "../adapters/confirm.ts";
import { stateFilePath, writeState } from "../adapters/state-file.ts";
import { look } from "../adapters/visit.ts";
import { parseConfig } from "../config.ts";
import type { MainOptions } from "../main-options.ts";
import { commitNamed } from "./commit-naming.ts";
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
    const about = await ledger.commits.ofTrace(db, named);
    // A message is all that was committed about it; everything else is one commit.
    const what = about.length > 0 ? named : (await commitNamed(look, named)).id;
    return { what, plan: await ledger.planErasure(db, what, fields.length > 0 ? fields : "all") };
  });
  input.out.line(planText(plan));
  if (input.options.yes !== true) await confirmed("Erase this? It cannot be undone.");
  const result = await visiting(input, main, "act", ({ call }) =>
    call("darkmatter_ledger_erase", { what, ...(fields.length > 0 && { fields: [...fields] }) }),
  );
  await rewriteStateFile(input, main);
  input.out.result(erasedText(result), result);
  return EXIT_OK;
}

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
      (id) => `  ${brief(id, 128)}: its words in the inbox, in what was sent, and in conversations`,
    ),
    "What stays: the commits themselves (who, what kind of act, when) and commitments that nobody can open any more.",
    ...hashesLeft.map(
      ({ commitId, fields }) =>
        `  ${commitId} keeps ${fields.join(", ")}: a hash of the words, by which a guess can be tested. Erase it too if they are short.`,
    ),
    peers.length > 0
      ? `What others hold is not erased: ${peers.join(", ")}, whoever they told, and every export or backup made before.`
      : "Exports and backups made before are not erased.",
  ].join("\n");
}

function erasedText(result: JsonObject): string {
  const erased = rows(result, "erased");
  const count = erased.reduce((sum, { fields }) => sum + (Array.isArray(fields) ? fields.length : 0), 0);
  const done = `Erased ${count === 1 ? "1 value" : `${count} values`} of ${erased.length === 1 ? "1 commit" : `${erased.length} commits`}.`;
  const copies =
    result.purged === true
      ? "No copy is left in the database's files."
      : "Another process still reads an older state: copies in the database's files go with the next erasing or stop.";
  return `${done} ${copies}\nThe chain is whole: darkmatter fsck`;
}

/** The JSON state for older nodes tells of messages, too. */
async function rewriteStateFile(input: CommandInput, main: MainOptions): Promise<void> {
  await look(owningOptions(input, main), async ({ agent, db, layer }) => {
    const { agentId } = agent.signer;
    const path = stateFilePath(agent.home, agentId, parseConfig(process.env).stateFile);
    if (await nodeFiles.exists(path)) await writeState(db, layer, path, agentId);
  });
}
