import { type Command, type CommandInput, EXIT_OK, type ExitCode } from "@darkmatter/surface";
import type { MainOptions } from "../main-options.ts";
import { plain, rows, visiting } from "./context.ts";

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
  ].join("\n");
  input.out.result(human, found);
  return EXIT_OK;
}

/** An address as it stands in a URL; one that means every address is reached at this machine's own. */
function hostOf(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}
