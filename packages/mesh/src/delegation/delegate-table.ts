import type { JsonObject } from "@darkmatter/core";
import { actingAs } from "@darkmatter/store";
import type { Delegate, Tool, ToolCall, ToolResult, ToolTable } from "@darkmatter/surface";
import { PEER_WORDS } from "../answers.ts";
import { readRequest } from "../connections/requests.store.ts";
import { shownRequest } from "../connections/requests.ts";
import { inboxMessage } from "../messages/inbox-page.ts";
import { listed } from "../messages/message.ts";
import { readInbox } from "../messages/messages.store.ts";
import type { Services } from "../services.ts";
import type { GrantScope } from "./grant.ts";
import type { LiveHelper } from "./running.ts";

const INSTRUCTIONS =
  "You act for an agent on the DarkMatter mesh, for one task and a short time. Only what the task needs is here.";

type Input = Readonly<Record<string, unknown>>;

/** A helper as the MCP server serves it: its own table, and when its time is over. */
export function delegateOf(services: Services, table: ToolTable, helper: LiveHelper): Delegate {
  return {
    id: helper.delegation.id,
    over: helper.over,
    mayAct: helper.mayAct,
    table: delegateTable(services, table, helper),
  };
}

/** The tools of a helper's grant, each for the one thing it was started for and only while it may act. */
function delegateTable(services: Services, { tools }: ToolTable, helper: LiveHelper): ToolTable {
  const { scope } = helper.grant;
  const granted = tools.filter((tool) => tool.audience !== "owner" && scope.tools.includes(tool.name));
  return {
    tools: granted.map((tool) => narrowed(services, tool, helper)),
    instructions: INSTRUCTIONS,
    decorate: async (_session, result) => result,
    onChange: () => ({ [Symbol.dispose]: () => undefined }),
    resources: [],
    unknown: (name) =>
      refused(`${name.slice(0, 80)} is not among the tools of your task: ${scope.tools.join(", ")}`),
  };
}

function narrowed(services: Services, tool: Tool, helper: LiveHelper): Tool {
  const { scope } = helper.grant;
  const own = OWN_VIEWS[tool.name];
  return {
    ...tool,
    visible: () => true,
    async handle(input: Input, call: ToolCall): Promise<ToolResult> {
      if (!helper.mayAct()) return refused("Your time is over.");
      noteWake(services, helper);
      const why = BOUNDS[tool.name]?.(input, scope);
      if (why !== undefined) return refused(why);
      if (own) return own(services, scope);
      // Nobody else's call can be repeated by guessing its name.
      const callId = call.callId === undefined ? undefined : `${helper.delegation.id}:${call.callId}`;
      return actingAs(helper.actor, () => tool.handle(input, { ...call, callId }));
    },
  };
}

/** Whoever calls a tool is awake; a client that only connects has not begun. */
function noteWake({ background, waking }: Services, helper: LiveHelper): void {
  if (!helper.isFirstCall()) return;
  background.start("helper.came", () => waking.helperCame(helper.delegation.subject));
}

const refused = (error: string): JsonObject => ({
  success: false,
  error,
  next_step: "Do only what your task says, then end.",
});

const onlyMessage = (id: unknown, { message_id: own }: GrantScope): string | undefined =>
  id === own && own !== undefined ? undefined : "Your task is about another message.";

/** What of a granted tool belongs to the task; why a call does not. */
const BOUNDS: Readonly<Record<string, (input: Input, scope: GrantScope) => string | undefined>> = {
  darkmatter_get_message: (input, scope) => onlyMessage(input.message_id, scope),
  darkmatter_respond_message: (input, scope) => onlyMessage(input.message_id, scope),
  darkmatter_send_message(input, scope) {
    const { message_id, target_agent_id, target_agent_ids, broadcast, message_type } = input;
    const elsewhere = message_id ?? target_agent_id ?? target_agent_ids;
    if (elsewhere !== undefined || broadcast === true || message_type === "broadcast")
      return "You may answer the message of your task (reply_to), and send nothing else.";
    return onlyMessage(input.reply_to, scope);
  },
  darkmatter_connection(input, scope) {
    if (input.action !== "accept" && input.action !== "reject")
      return "You may accept or reject, nothing else.";
    const isOwn = scope.request_id !== undefined && input.request_id === scope.request_id;
    return isOwn ? undefined : "Your task is about another request.";
  },
};

/** What a helper sees otherwise than the agent: who it acts for, and of lists the one entry of its task. */
const OWN_VIEWS: Readonly<Record<string, (services: Services, scope: GrantScope) => Promise<JsonObject>>> = {
  async darkmatter_get_identity({ db, identity }): Promise<JsonObject> {
    const { displayName, bio } = await identity.profile(db);
    return { agent_id: identity.agentId, display_name: displayName, bio };
  },
  async darkmatter_list_inbox({ db }, { message_id: id = "" }): Promise<JsonObject> {
    const message = await readInbox(db, id);
    if (!message) return { total: 0, messages: [] };
    return {
      total: 1,
      messages: [inboxMessage(message, listed(message.content))],
      peer_words: PEER_WORDS,
    };
  },
  async darkmatter_list_pending_requests({ db }, { request_id: id = "" }): Promise<JsonObject> {
    const request = await readRequest(db, id);
    if (!request) return { total: 0, requests: [] };
    return { total: 1, requests: [shownRequest(request)], peer_words: PEER_WORDS };
  },
};
