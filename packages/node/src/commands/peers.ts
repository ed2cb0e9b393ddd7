import { hasCode, type JsonObject } from "@darkmatter/core";
import { type Command, type CommandInput, EXIT_OK, type ExitCode } from "@darkmatter/surface";
import { nodeError } from "../errors.ts";
import type { MainOptions } from "../main-options.ts";
import { brief, plain, rows, shortId, visiting } from "./context.ts";
import { lookingAtLedger } from "./ledger-look.ts";
import { theOne } from "./naming.ts";

const CONNECTION = "darkmatter_connection";

export function peerCommands(main: MainOptions): Command[] {
  return [
    {
      name: "peers",
      summary: "who this agent is connected to, and who asks to be",
      arguments: [],
      options: [],
      run: (input) => peers(input, main),
    },
    {
      name: "connect",
      summary: "ask an agent for a connection",
      arguments: [{ name: "url", required: true, summary: "its address, such as http://127.0.0.1:8101" }],
      options: [],
      async run(input) {
        const { url = "" } = input.args;
        const target = /^https?:\/\//i.test(url) ? url : `http://${url}`;
        const result = await visiting(input, main, "act", ({ call }) =>
          call(CONNECTION, { action: "request", target_url: target }),
        );
        const human =
          result.status === "connected"
            ? `Connected to ${shortId(result.agent_id)}. Next: darkmatter send ${shortId(result.agent_id)} "hello"`
            : `Asked. ${plain(result.message)}\nSee who accepted: darkmatter peers`;
        input.out.result(human, result);
        return EXIT_OK;
      },
    },
    {
      name: "accept",
      summary: "accept a request for a connection",
      arguments: [{ name: "request", required: true, summary: "the request, or the agent that asks" }],
      options: [],
      async run(input) {
        const result = await visiting(input, main, "act", async ({ call }) => {
          const pending = rows(await call("darkmatter_list_pending_requests"), "requests");
          const keys = { ids: ["request_id", "from_agent_id"], name: "from_agent_display_name" };
          const request = theOne(pending, input.args.request ?? "", keys, "pending requests");
          return call(CONNECTION, { action: "accept", request_id: request.request_id as string });
        });
        input.out.result(`Accepted: connected to ${shortId(result.agent_id)}.`, result);
        return EXIT_OK;
      },
    },
    {
      name: "trust",
      summary: "score an agent: at 0.5 its messages start helpers, after an hour below 0 it is disconnected",
      arguments: [
        { name: "agent", required: true, summary: "its id, the beginning of it, or its name" },
        { name: "score", required: true, summary: "from 1 (fully trusted) over 0 (unknown) to -1 (harmful)" },
      ],
      options: [],
      async run(input) {
        const score = Number(input.args.score?.trim() || Number.NaN);
        if (!(score >= -1 && score <= 1)) throw nodeError("USAGE", "A score is a number from -1 to 1.");
        const result = await visiting(input, main, "act", async ({ call }) => {
          const agentId = await agentNamed(call, input.args.agent ?? "");
          return call("darkmatter_set_impression", { agent_id: agentId, score });
        });
        input.out.result(`${shortId(result.agent_id)} has the score ${score}.`, result);
        return EXIT_OK;
      },
    },
    {
      name: "block",
      summary: "end the connection to an agent and hear nothing of it any more",
      arguments: [{ name: "agent", required: true, summary: "its id, the beginning of it, or its name" }],
      options: [],
      async run(input) {
        const result = await visiting(input, main, "act", async ({ call }) => {
          const agentId = await agentNamed(call, input.args.agent ?? "");
          return call(CONNECTION, { action: "block", agent_id: agentId });
        });
        input.out.result(`Blocked ${shortId(result.agent_id)}.`, result);
        return EXIT_OK;
      },
    },
  ];
}

type Call = (name: string, args?: JsonObject) => Promise<JsonObject>;

/** The id of a connected agent, or of any whose whole id is given. @throws NOT_FOUND, AMBIGUOUS */
export async function agentNamed(call: Call, wanted: string): Promise<string> {
  const connections = rows(await call("darkmatter_list_connections"), "connections");
  try {
    return theOne(connections, wanted, { ids: ["agent_id"], name: "display_name" }, "connections")
      .agent_id as string;
  } catch (error) {
    if (hasCode(error, "NOT_FOUND") && /^[0-9a-f]{64}$/.test(wanted)) return wanted;
    throw error;
  }
}

export type NameOf = (agentId: unknown) => string;

/** How a person is told of an agent: by the name it gives itself, and by its id, which nobody else can have. */
export async function connectedNames(call: Call): Promise<NameOf> {
  const connections = rows(await call("darkmatter_list_connections"), "connections");
  const names = new Map(connections.map((peer) => [peer.agent_id, brief(peer.display_name, 24)]));
  return (agentId) => [names.get(agentId as string) ?? "", shortId(agentId)].filter(Boolean).join(" ");
}

async function peers(input: CommandInput, main: MainOptions): Promise<ExitCode> {
  const { evidence } = await lookingAtLedger(input, main, ({ db, ledger }) => ledger.state(db));
  const isSplit = (agentId: unknown) => evidence.some((found) => found.agentId === agentId);
  const { connections, requests } = await visiting(input, main, "read", async ({ call }) => ({
    connections: rows(await call("darkmatter_list_connections"), "connections"),
    requests: rows(await call("darkmatter_list_pending_requests"), "requests"),
  }));
  const lines = connections.map(
    (peer) =>
      `${shortId(peer.agent_id)}  ${brief(peer.display_name, 24).padEnd(24)}  ` +
      `sent ${peer.messages_sent}, received ${peer.messages_received}  ${plain(peer.agent_url)}` +
      (isSplit(peer.agent_id) ? "  SPLIT HISTORY: see darkmatter status" : ""),
  );
  const asking = requests.map(
    (request) =>
      `${plain(request.request_id)}  from ${brief(request.from_agent_display_name, 24)} ` +
      `(${shortId(request.from_agent_id)}): darkmatter accept ${plain(request.request_id)}`,
  );
  const human = [
    ...(lines.length > 0 ? lines : ["No connections. Ask for one: darkmatter connect http://HOST:PORT"]),
    ...(asking.length > 0 ? ["", "Asking to connect:", ...asking] : []),
  ].join("\n");
  const shown = connections.map((peer) => ({ ...peer, split_history: isSplit(peer.agent_id) }));
  input.out.result(human, { connections: shown, requests });
  return EXIT_OK;
}
