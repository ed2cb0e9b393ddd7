import { isoTime } from "@darkmatter/core";
import { type Command, type CommandInput, EXIT_OK, type ExitCode } from "@darkmatter/surface";
import type { MainOptions } from "../main-options.ts";
import { brief, plain, rows, shortId, visiting } from "./context.ts";
import { lookingAtLedger } from "./ledger-look.ts";

export function statusCommand(main: MainOptions): Command {
  return {
    name: "status",
    summary: "who this agent is, whether its node runs, and what waits for it",
    arguments: [],
    options: [],
    run: (input) => status(input, main),
  };
}

async function status(input: CommandInput, main: MainOptions): Promise<ExitCode> {
  const found = await visiting(input, main, "read", async ({ agent, owner, call }) => {
    const identity = await call("darkmatter_get_identity");
    const connections = rows(await call("darkmatter_list_connections"), "connections");
    const requests = rows(await call("darkmatter_list_pending_requests"), "requests");
    return {
      agent_id: agent.signer.agentId,
      display_name: plain(identity.display_name),
      running: owner !== undefined,
      ...(owner && {
        pid: owner.pid,
        version: owner.version,
        url: `http://${hostOf(owner.host)}:${owner.port}`,
      }),
      connections: connections.length,
      pending_requests: requests.length,
      // Not by listing them: what is listed counts as read, and the agent would no more be told of it.
      inbox: Number(identity.inbox_size),
      passport: agent.passportPath,
      state: agent.places.folder,
      log: agent.places.log,
    };
  });
  const ledger = await ledgerState(input, main);
  const node = found.running
    ? `runs as process ${found.pid} (version ${found.version}) at ${found.url}`
    : "does not run; start it with: darkmatter up";
  const human = [
    `${found.display_name || "(no name)"}  ${found.agent_id}`,
    `The node ${node}`,
    `Connections ${found.connections}, requests ${found.pending_requests}, inbox ${found.inbox}`,
    `Passport ${found.passport}`,
    `State    ${found.state}`,
    `Log      ${found.log}`,
    ledgerLine(ledger),
    ...(ledger.mirror ? [mirrorLine(ledger.commits, ledger.mirror)] : []),
    ...(ledger.newer_held_by_others ? [olderLine(ledger.newer_held_by_others)] : []),
    ...ledger.split_histories.map(splitLine),
  ].join("\n");
  input.out.result(human, { ...found, ledger });
  return EXIT_OK;
}

async function ledgerState(input: CommandInput, main: MainOptions) {
  const { commits, checkpoint, newer, witnesses, evidence, mirror } = await lookingAtLedger(
    input,
    main,
    ({ db, ledger }) => ledger.state(db),
  );
  return {
    commits,
    checkpoint: checkpoint
      ? { id: checkpoint.checkpoint_id, size: checkpoint.tree_size, at: checkpoint.timestamp }
      : null,
    newer_held_by_others: newer ? { size: newer.tree_size, at: newer.timestamp } : null,
    witnesses: witnesses.map(({ agentId }) => agentId),
    split_histories: evidence.map(({ agentId, recordedAt, from }) => ({
      agent_id: agentId,
      recorded_at: recordedAt,
      told_by: from,
    })),
    mirror: mirror
      ? {
          url: mirror.url,
          agent_id: mirror.agentId || null,
          commits: mirror.next,
          checkpoint_size: mirror.checkpointSize,
          last_taken_at: mirror.okMs === null ? null : isoTime(mirror.okMs),
          trouble: mirror.trouble,
        }
      : null,
  };
}

type LedgerShown = Awaited<ReturnType<typeof ledgerState>>;

function ledgerLine({ commits, checkpoint, witnesses }: LedgerShown): string {
  if (commits === 0) return "Ledger   empty";
  const signed = checkpoint
    ? `signed at ${checkpoint.size} on ${checkpoint.at}, witnessed by ${witnesses.length}`
    : "not signed yet";
  return `Ledger   ${commits} commits, ${signed}`;
}

function mirrorLine(commits: number, mirror: NonNullable<LedgerShown["mirror"]>): string {
  const { url, commits: taken, last_taken_at, trouble } = mirror;
  const last = last_taken_at === null ? "" : `, the last on ${last_taken_at}`;
  return `Mirror   ${taken} of ${commits} at ${url}${last}${trouble === null ? "" : `; ${plain(trouble)}`}`;
}

function olderLine({ size, at }: NonNullable<LedgerShown["newer_held_by_others"]>): string {
  return (
    `OLDER STATE: others hold ${size} commits of this ledger, signed ${at}, that are not all here. Nothing more is ` +
    "signed over it. Put the newer state folder back; if it is lost, begin with a new passport to be witnessed again"
  );
}

function splitLine({ agent_id, recorded_at }: LedgerShown["split_histories"][number]): string {
  return (
    `SPLIT HISTORY of ${shortId(agent_id)} (known since ${brief(recorded_at, 30)}): it signed two logs that cannot ` +
    `both be true. Believe nothing it exports; end the connection with: darkmatter block ${shortId(agent_id)}`
  );
}

/** An address as it stands in a URL; one that means every address is reached at this machine's own. */
export function hostOf(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}
