import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import type { Answer } from "../agents.ts";
import { type Checks, until } from "../checks.ts";
import type { World } from "../world.ts";
import { commanded } from "./commanded.ts";
import { type Member, type Members, member } from "./members.ts";
import { ANSWERS, checkShape } from "./tools.ts";

/** The tools of the seeds, without their prefix: all of them have to be called here. */
export const TOOLS = [
  "connection",
  "list_connections",
  "list_pending_requests",
  "send_message",
  "list_inbox",
  "get_message",
  "list_messages",
  "get_sent_message",
  "expire_message",
  "wait_for_response",
  "get_identity",
  "update_bio",
  "set_status",
  "status",
  "network_info",
  "discover_local",
  "discover_domain",
  "set_impression",
  "get_impression",
  "create_shard",
  "view_shards",
  "wallet_balances",
  "wallet_send",
  "get_balance",
  "send_sol",
  "send_token",
  "set_superagent",
  "set_rate_limit",
  "respond_message",
  "ask_impression",
  "get_server_template",
] as const;
export type ToolName = (typeof TOOLS)[number];

function newAgentId(): string {
  const { x } = generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" });
  return Buffer.from(String(x), "base64url").toString("hex");
}

/** Calls tools, checks each answer against mesh.md 15, and remembers which were called. */
export interface Caller {
  readonly called: Set<string>;
  /** `what` names the shape where a tool has several. */
  ask(member: Member, tool: ToolName, args?: Record<string, unknown>, what?: string): Promise<Answer>;
}

export function createCaller(): Caller {
  const called = new Set<string>();
  return {
    called,
    async ask(member, tool, args = {}, what = "") {
      const value = await member.agent.ask(tool, args);
      const name = [tool, what].filter(Boolean).join(" ");
      const shape = ANSWERS[name];
      if (shape) checkShape(value, shape);
      else assert.equal(name, "status", `${name} has a shape to be checked against`);
      called.add(tool);
      return value;
    },
  };
}

/** Everything but money and shards: the rest of the tools, with the agents reading and answering by themselves. */
export async function checkCalling(
  { check }: Checks,
  world: World,
  members: Members,
  caller: Caller,
): Promise<void> {
  const [ana, bo, cy, di] = (["ana", "bo", "cy", "di"] as const).map((name) => member(members, name)) as [
    Member,
    Member,
    Member,
    Member,
  ];
  const { ask } = caller;

  await check("society: helpers off, an agent's messages wait for it", async () => {
    for (const { home } of [ana, bo, cy]) {
      await commanded(world, home, "spawn", "off");
    }
  });

  await check("society: talk: new, read, forwarded, answered twice over, withdrawn", async () => {
    const to = (member: Member) => ({ target_agent_id: member.node.agentId });
    const sent = await ask(ana, "send_message", { content: "Which tide?", ...to(bo) }, "new");
    const inbox = await ask(bo, "list_inbox");
    assert.ok(inbox.messages.some(({ message_id }: Answer) => message_id === sent.message_id));
    const read = await ask(bo, "get_message", { message_id: sent.message_id });
    assert.equal(read.content, "Which tide?");
    const note = "she knows tides";
    const args = { message_id: sent.message_id, ...to(cy), note };
    await ask(bo, "send_message", args, "forward");
    const waiting = ask(ana, "wait_for_response", { message_id: sent.message_id, timeout_seconds: 30 });
    await ask(cy, "respond_message", { message_id: sent.message_id, response: "Ebb, until six." });
    assert.equal((await waiting).responses[0].response, "Ebb, until six.");
    const again = await ask(ana, "send_message", { content: "And the wind?", ...to(bo) }, "new");
    const reply = { reply_to: again.message_id, content: "North-west." };
    await ask(bo, "send_message", reply, "reply");
    const shown = await ask(ana, "get_sent_message", { message_id: again.message_id });
    assert.equal(shown.responses[0].response, "North-west.");
    const needless = await ask(ana, "send_message", { content: "Never mind", ...to(bo) }, "new");
    await ask(ana, "expire_message", { message_id: needless.message_id });
    const { messages } = await ask(ana, "list_messages");
    const states = new Map(messages.map(({ message_id, status }: Answer) => [message_id, status]));
    assert.equal(states.get(sent.message_id), "responded");
    assert.equal(states.get(needless.message_id), "expired");
  });

  await check("society: connections: ended, asked for, listed, refused, accepted", async () => {
    const agent_id = di.node.agentId;
    await ask(ana, "connection", { action: "disconnect", agent_id }, "disconnect");
    await until("the other side has heard of it", async () => {
      const { connections } = await di.agent.ask("list_connections");
      return !connections.some((one: Answer) => one.agent_id === ana.node.agentId);
    });
    const target_url = di.node.url;
    await ask(ana, "connection", { action: "request", target_url }, "request");
    const { connections } = await ask(ana, "list_connections");
    assert.ok(connections.some((one: Answer) => one.agent_id === agent_id && one.wallets?.solana));
    // A name that can never be: nobody is there.
    const from_agent_id = newAgentId();
    const from_agent_url = "http://far.invalid:8100";
    const body = {
      from_agent_id,
      from_agent_url,
      from_agent_bio: "maps",
      from_agent_public_key_hex: from_agent_id,
    };
    const answered = await fetch(`${ana.node.url}/__darkmatter__/connection_request`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ...body, from_agent_display_name: "far" }),
    });
    assert.equal(answered.status, 200, await answered.text());
    const { requests } = await ask(ana, "list_pending_requests");
    const request = requests.find((one: Answer) => one.from_agent_id === from_agent_id);
    await ask(ana, "connection", { action: "reject", request_id: request.request_id }, "reject");
  });

  await check("society: who I am, and who is there", async () => {
    const bio = "Keeps the tide tables of the north quay.";
    assert.equal((await ask(ana, "update_bio", { bio })).bio, bio);
    const me = await ask(ana, "get_identity");
    assert.equal(me.bio, bio);
    assert.ok(me.wallets.solana);
    const { peers } = await ask(ana, "network_info");
    assert.equal(peers.length, members.length - 1);
    await ask(ana, "discover_local");
    const found = await ask(ana, "discover_domain", { domain: bo.node.url });
    assert.equal(found.agent_id, bo.node.agentId);
    assert.match(String(await ask(ana, "status")), /Connections: \d/);
    const status = await ask(ana, "set_status", { status: "inactive", duration_minutes: 5 });
    assert.equal(status.status, "inactive");
    await ask(ana, "set_status", { status: "active" });
    const template = await ask(ana, "get_server_template");
    assert.ok(template.core_primitives.length > 0);
  });

  await check("society: judging, asking what others think, limits", async () => {
    const args = { agent_id: cy.node.agentId, score: 0.7, note: "knows the tides" };
    await ask(ana, "set_impression", args);
    assert.equal((await ask(ana, "get_impression", { agent_id: cy.node.agentId })).score, 0.7);
    const about = { ask_agent_id: ana.node.agentId, about_agent_id: cy.node.agentId };
    const told = await ask(bo, "ask_impression", about);
    assert.equal(told.score, 0.7);
    const limited = await ask(ana, "set_rate_limit", { agent_id: bo.node.agentId, limit: 60 });
    assert.equal(limited.effective, "60/min");
  });
}
