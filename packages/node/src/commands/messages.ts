import type { JsonObject } from "@darkmatter/core";
import { type Command, EXIT_OK } from "@darkmatter/surface";
import type { MainOptions } from "../main.ts";
import { brief, plain, rows, shortId, visiting } from "./context.ts";
import { theOne } from "./naming.ts";
import { agentNamed } from "./peers.ts";

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
      options: [],
      async run(input) {
        const { agent = "", text = "" } = input.args;
        const { result, stays } = await visiting(input, main, "act", async ({ call, owner }) => {
          const target = await agentNamed(call, agent);
          const sent = await call("darkmatter_send_message", { content: text, target_agent_id: target });
          return { result: sent, stays: owner !== undefined };
        });
        const away = stays ? "" : "\nNo node runs here to hear the answer: start it with `darkmatter up`.";
        input.out.result(`Sent as ${plain(result.message_id)}.${away}`, result);
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
        const result = await visiting(input, main, "read", ({ call }) => call("darkmatter_list_inbox"));
        input.out.result(inboxText(rows(result, "messages")), result);
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

type Call = (name: string, args?: JsonObject) => Promise<JsonObject>;

async function messageNamed(call: Call, wanted: string): Promise<string> {
  const waiting = rows(await call("darkmatter_list_inbox"), "messages");
  return theOne(waiting, wanted, { ids: ["message_id"] }, "messages in the inbox").message_id as string;
}

function inboxText(messages: readonly JsonObject[]): string {
  if (messages.length === 0) return "The inbox is empty.";
  const shown = messages.map(
    (message) =>
      `${plain(message.message_id)}  from ${shortId(message.from_agent_id)}  ${plain(message.received_at)}\n` +
      `  ${brief(message.content, 200)}`,
  );
  return [...shown, "", "Whole: darkmatter inbox MESSAGE · answer: darkmatter reply MESSAGE TEXT"].join("\n");
}
