import type { Json } from "@darkmatter/core";
import { seededRandom } from "@darkmatter/core/testing";
import type { ClientName } from "@darkmatter/mesh/nouns";
import { commandLine, helperEnvironment, promptFor, TEST_CONFIG } from "@darkmatter/mesh/testing";
import { type Outcome, ran } from "../outcome.ts";

interface Document {
  readonly cases: {
    readonly profiles: Readonly<
      Record<
        ClientName,
        {
          readonly command: string;
          readonly argv: readonly string[];
          readonly env_removed: readonly string[];
          readonly env_added: Readonly<Record<string, string>>;
        }
      >
    >;
    readonly context_block_in_prompt: string;
    readonly prompt_must_contain: {
      readonly message: readonly string[];
      readonly connection_request: readonly string[];
    };
  };
}

const ACCESS = {
  delegationId: "dg-0123456789ab",
  url: "http://127.0.0.1:8100/mcp",
  token: "ab".repeat(32),
  folder: "/state/helpers/dg-0123456789ab",
  tools: ["darkmatter_get_message"],
};
const { agent: CAREFUL } = TEST_CONFIG;
/** The first generation's way, which the owner has to ask for. */
const AUTONOMOUS = { ...CAREFUL, autonomous: true };
/** What makes those programs act without asking. */
const UNASKED = /skip-permissions|^--yolo$|^--force$|^--full-auto$|^--yes$|^--trust$/;

/** How each client is started, what it sees of the environment, and what it is told (mesh.md 14). */
export async function* spawn(document: Json): AsyncIterable<Outcome> {
  const { profiles, ...prompts } = (document as unknown as Document).cases;
  for (const [name, profile] of Object.entries(profiles)) {
    const client = name as ClientName;
    yield ran(`${client}, when the owner asked for it`, async (found) => {
      const { command, args, stdin } = commandLine(client, AUTONOMOUS, ACCESS, "<prompt>");
      found.equal("command", command, profile.command);
      found.equal("argv", [command, ...args].join("\n"), profile.argv.join("\n"));
      found.equal("stdin", stdin ?? null, null);
    });
    yield ran(`${client}, by itself`, async (found) => {
      const { command, args, stdin } = commandLine(client, CAREFUL, ACCESS, "<prompt>");
      found.equal("command", command, profile.command);
      found.holds("it asks before it acts", !args.some((arg) => UNASKED.test(arg)));
      found.holds("it is told its task", stdin === "<prompt>" || args.includes("<prompt>"));
      found.holds("no secret on a command line", !args.join(" ").includes(ACCESS.token));
    });
    yield ran(`environment of ${client}`, async (found) => {
      const before = { PATH: "/bin", ...Object.fromEntries(profile.env_removed.map((one) => [one, "1"])) };
      const env = helperEnvironment(client, CAREFUL, before, ACCESS);
      found.holds("removed", !profile.env_removed.some((one) => one in env));
      for (const [variable, value] of Object.entries(profile.env_added))
        found.equal(variable, env[variable], value);
      found.equal("kept", env.PATH, "/bin");
    });
  }
  yield* promptCases(prompts);
}

async function* promptCases({
  context_block_in_prompt: context,
  prompt_must_contain: parts,
}: Omit<Document["cases"], "profiles">): AsyncIterable<Outcome> {
  const from = "aa".repeat(32);
  const prompts = {
    message: promptFor(
      { kind: "message", message: { messageId: "msg-1", from, content: "ping" } },
      { name: "peer-a", context },
      seededRandom(1),
    ),
    connection_request: promptFor(
      {
        kind: "request",
        request: { requestId: "req-1", agentId: from, displayName: "peer-b", bio: "maps", proven: true },
      },
      { name: "peer-b", context: "" },
      seededRandom(1),
    ),
  };
  for (const kind of ["message", "connection_request"] as const) {
    yield ran(`what a helper is told for a ${kind}`, async (found) => {
      for (const part of parts[kind]) found.holds(part, prompts[kind].includes(part));
    });
  }
}
