import { hasCode, type JsonObject, reasonOf } from "@darkmatter/core";
import { type Command, type CommandInput, EXIT_OK, type ExitCode } from "@darkmatter/surface";
import { nodeError } from "../errors.ts";
import type { MainOptions } from "../main-options.ts";
import { brief, plain, rows, visiting } from "./context.ts";
import { theOne } from "./naming.ts";
import { agentNamed, connectedNames, type NameOf } from "./peers.ts";

const TEXT = { name: "text...", required: true, summary: "what to say" };

export function messageCommands(main: MainOptions): Command[] {
  return [
    {
      name: "send",
      summary: "send a message to an agent",
      arguments: [
        { name: "agent", required: true, summary: "its id, the beginning of it, or its name" },
        TEXT,
      ],
      options: [
        {
          flags: "--wait <seconds>",
          summary: "stay until it is answered, at most so long, and show the answer",
        },
      ],
      run: (input) => send(input, main),
    },
    {
      name: "sent",
      summary:
        "the messages this agent sent and how far each came, or one of them with its way to each agent",
      arguments: [{ name: "message", required: false, summary: "its id, or the beginning of it" }],
      options: [],
      async run(input) {
        const { message } = input.args;
        const { result, nameOf } = await visiting(input, main, "read", async ({ call }) => ({
          result: await sentMessages(call, message),
          nameOf: await connectedNames(call),
        }));
        const human = message === undefined ? sentList(rows(result, "messages")) : sentText(result, nameOf);
        input.out.result(human, result);
        return EXIT_OK;
      },
    },
    {
      name: "inbox",
      summary: "the messages that wait for this agent, or one of them whole",
      arguments: [{ name: "message", required: false, summary: "its id, or the beginning of it" }],
      options: [],
      async run(input) {
        const { message } = input.args;
        if (message !== undefined) {
          const result = await visiting(input, main, "act", async ({ call }) =>
            call("darkmatter_get_message", { message_id: await messageNamed(call, message) }),
          );
          input.out.result(plain(result.content), result);
          return EXIT_OK;
        }
        const { result, nameOf } = await visiting(input, main, "read", async ({ call }) => ({
          result: await call("darkmatter_list_inbox"),
          nameOf: await connectedNames(call),
        }));
        const notes = rows(result, "notes_of_this_node").map((note) => noteLine(note, nameOf));
        input.out.result([inboxText(rows(result, "messages"), nameOf), ...notes].join("\n"), result);
        return EXIT_OK;
      },
    },
    {
      name: "reply",
      summary: "answer a message of the inbox",
      arguments: [{ name: "message", required: true, summary: "its id, or the beginning of it" }, TEXT],
      options: [],
      async run(input) {
        const { message = "", text = "" } = input.args;
        const result = await visiting(input, main, "act", async ({ call }) =>
          call("darkmatter_respond_message", {
            message_id: await messageNamed(call, message),
            response: text,
          }),
        );
        input.out.result("Answered.", result);
        return EXIT_OK;
      },
    },
  ];
}

async function send(input: CommandInput, main: MainOptions): Promise<ExitCode> {
  const { agent = "", text = "" } = input.args;
  const seconds = waitOption(input.options.wait);
  const sent = await visiting(input, main, "act", async ({ call, owner }) => {
    const target = await agentNamed(call, agent);
    const result = await call("darkmatter_send_message", { content: text, target_agent_id: target });
    const id = plain(result.message_id);
    const nameOf = await connectedNames(call);
    if (seconds === undefined) return { result, id, nameOf, stays: owner !== undefined };
    input.out.line(result.state === "queued" ? sentLine(id, true) : `Sent as ${id}.`);
    input.out.line("Waiting for the answer.");
    const answer = await answerTo(call, id, seconds);
    return { result: { ...result, responses: rows(answer, "responses") }, id, nameOf, stays: true };
  });
  const waits = sent.result.state === "queued";
  const what = waits ? "send it again" : "hear the answer";
  const away = sent.stays ? "" : `\nNo node runs here to ${what}: start it with \`darkmatter up\`.`;
  const human = seconds === undefined ? `${sentLine(sent.id, waits)}${away}` : "";
  input.out.result(human || answers(sent.result, sent.nameOf), sent.result);
  return EXIT_OK;
}

/** @throws NO_ANSWER */
async function answerTo(call: Call, id: string, seconds: number): Promise<JsonObject> {
  try {
    return await call("darkmatter_wait_for_response", { message_id: id, timeout_seconds: seconds });
  } catch (error) {
    if (!hasCode(error, "TOOL_FAILED") || reasonOf(error) !== "timeout") throw error;
    throw nodeError("NO_ANSWER", `No answer to ${id} within ${seconds} s.`);
  }
}

function sentLine(id: string, waits: boolean): string {
  if (waits)
    return `Not delivered yet: kept as ${id} and sent again by itself for at most 24 hours. How far it is: darkmatter sent ${id}`;
  return `Sent as ${id}. Answer: darkmatter sent ${id}`;
}

/** @throws USAGE */
function waitOption(value: string | boolean | undefined): number | undefined {
  if (typeof value !== "string") return undefined;
  const seconds = Number(value);
  if (seconds > 0 && seconds <= WAIT_SECONDS_MAX) return seconds;
  throw nodeError("USAGE", `--wait takes seconds, more than 0 and at most ${WAIT_SECONDS_MAX}.`);
}

const WAIT_SECONDS_MAX = 3600;

type Call = (name: string, args?: JsonObject) => Promise<JsonObject>;

/** All that were sent, or the one that is meant with its way. */
async function sentMessages(call: Call, wanted: string | undefined): Promise<JsonObject> {
  const all = await call("darkmatter_list_messages");
  if (wanted === undefined) return all;
  const { message_id: id } = theOne(rows(all, "messages"), wanted, { ids: ["message_id"] }, "messages sent");
  return call("darkmatter_get_sent_message", { message_id: id as string });
}

async function messageNamed(call: Call, wanted: string): Promise<string> {
  const waiting = rows(await call("darkmatter_list_inbox"), "messages");
  return theOne(waiting, wanted, { ids: ["message_id"] }, "messages in the inbox").message_id as string;
}

function inboxText(messages: readonly JsonObject[], nameOf: NameOf): string {
  if (messages.length === 0) return "The inbox is empty.";
  const shown = messages.map(
    (message) =>
      `${plain(message.message_id)}  from ${nameOf(message.from_agent_id)}  ${plain(message.received_at)}\n` +
      `  ${brief(message.content, 200)}`,
  );
  return [...shown, "", "Whole: darkmatter inbox MESSAGE · answer: darkmatter reply MESSAGE TEXT"].join("\n");
}

/** What this node itself says; never another agent's words. */
const noteLine = ({ at, message_id: id, agent_id: agent, note }: JsonObject, nameOf: NameOf) =>
  `Note of this node, ${plain(at)}: ${plain(note)}  (${id === undefined ? "" : `${plain(id)} to `}${nameOf(agent)})`;

function sentList(messages: readonly JsonObject[]): string {
  if (messages.length === 0) return "Nothing was sent yet.";
  const shown = messages.map(
    (message) =>
      `${plain(message.message_id)}  ${plain(message.status)}, ${plain(message.state)}  ${plain(message.created_at)}\n` +
      `  ${brief(message.content, 200)}`,
  );
  return [...shown, "", "Its answers and its way: darkmatter sent MESSAGE"].join("\n");
}

function sentText(message: JsonObject, nameOf: NameOf): string {
  const way = rows(message, "updates").map(
    ({ type, agent_id: agent, timestamp }) => `  ${plain(timestamp)}  ${plain(type)} by ${nameOf(agent)}`,
  );
  const ladders = rows(message, "ladder").map((ladder) => ladderText(ladder, nameOf));
  const answer = answers(message, nameOf);
  return [plain(message.content), ...ladders, ...way, answer === "" ? "No answer yet." : answer].join("\n");
}

const RUNG_WORDS: Readonly<Record<string, string>> = {
  queued: "queued on this machine",
  sent: "sent",
  stored: "stored on its disk",
  asked: "its agent was asked to wake",
  woken: "its agent woke",
  read: "read by its agent",
  acted: "acted on",
  refused: "refused",
  expired: "dropped without an answer",
};

/** How far the message came with one agent; what that agent signed is told apart from what we know ourselves. */
function ladderText(ladder: JsonObject, nameOf: NameOf): string {
  const rungs = rows(ladder, "rungs").map(({ rung, at, detail, commit, signed }) => {
    const words = `${RUNG_WORDS[plain(rung)] ?? plain(rung)}${detail ? ` ("${brief(detail, 100)}")` : ""}`;
    const proof = commit ? `, signed, its commit ${plain(commit).slice(0, COMMIT_SHOWN)}` : ", signed";
    return `  ${plain(at)}  ${words}${signed === true ? proof : ""}`;
  });
  const none = ["  no word yet"];
  return [`${nameOf(ladder.agent_id)}:`, ...(rungs.length > 0 ? rungs : none), ...tries(ladder)].join("\n");
}

/** How often it was brought there, by which way, and when it is tried next. */
function tries({ attempts, transport, next_attempt: next, last_error: error }: JsonObject): string[] {
  if (typeof attempts !== "number") return [];
  const way = typeof transport === "string" ? ` by ${transport}` : "";
  const why = typeof error === "string" ? `: ${brief(error, 200)}` : "";
  const again = typeof next === "string" ? `; next ${next}` : "";
  return [`  ${attempts} attempt${attempts === 1 ? "" : "s"}${way}${why}${again}`];
}

const COMMIT_SHOWN = 12;

function answers(message: JsonObject, nameOf: NameOf): string {
  return rows(message, "responses")
    .map(({ agent_id: agent, response }) => `${nameOf(agent)} answers: ${plain(response)}`)
    .join("\n");
}
