import assert from "node:assert/strict";
import { type Agent, httpAgent } from "../agents.ts";
import { type Checks, until } from "../checks.ts";
import type { Three } from "./three.ts";

/** What an agent sees of its node: tools, their lists and descriptions, results, refusals, the resource. */
export async function checkSurface({ check }: Checks, three: Three): Promise<void> {
  const { ana, bo, boLegacy, cy, ids } = three;
  const all = [ana, bo, boLegacy, cy];

  await check("mcp: every result stands as text and as structure, the same", async () => {
    for (const agent of all) {
      const { text, structured } = await agent.call("get_identity");
      assert.deepEqual(JSON.parse(text), structured);
      assert.equal(typeof structured._hint, "string");
    }
  });

  await check("mcp: parameters wrapped in `params` are taken, with blanks around them trimmed", async () => {
    for (const agent of all) {
      const heard = await agent.ask("get_impression", { params: { agent_id: ` ${ids.ana} ` } });
      assert.equal(heard.agent_id, ids.ana);
    }
  });

  await check("mcp: an unknown key is refused by its name, and nothing is done", async () => {
    for (const agent of all) {
      const before = (await agent.ask("get_identity")).sent_messages_count;
      const { isError, text } = await agent.call("send_message", { content: "x", targetAgent: ids.bo });
      assert.ok(isError && text.includes("targetAgent") && text.includes("target_agent_id"), text);
      assert.equal((await agent.ask("get_identity")).sent_messages_count, before);
    }
  });

  await check("mcp: an unknown tool is an error of the protocol", async () => {
    for (const agent of all) await assert.rejects(agent.call("no_such_tool"), /no_such_tool/);
  });

  await check("mcp: a hidden tool works, and is listed from then on, to that session", async () => {
    for (const agent of all) {
      assert.ok(
        !(await agent.names()).includes("network_info"),
        `${agent.kind}: hidden with two connections`,
      );
      const before = agent.changes;
      assert.equal((await agent.ask("network_info")).peers.length, 2);
      await until(`${agent.kind} hears of the change`, () => agent.changes > before);
      assert.ok((await agent.names()).includes("network_info"));
    }
    assert.ok(!(await otherTools(three)).includes("network_info"), "another session does not see it");
  });

  await check(
    "mcp: the live status stands in a description, changes there, and every client is told",
    async () => {
      const inbox = async (agent: Agent) => /Inbox: (\d+)/.exec(await liveStatus(agent))?.[1];
      const before = await Promise.all(all.map((agent) => inbox(agent)));
      const noticed = all.map(({ changes }) => changes);
      await ana.ask("send_message", { content: "counted", target_agent_ids: [ids.bo, ids.cy] });
      await cy.ask("send_message", { content: "counted", target_agent_id: ids.ana });
      await until("all are told", () => all.every(({ changes }, at) => changes > (noticed[at] ?? 0)), 8000);
      for (const [at, agent] of all.entries()) {
        await until(
          `${agent.kind} sees its inbox grow`,
          async () => Number(await inbox(agent)) > Number(before[at]),
        );
      }
    },
  );

  await check("mcp: no word of a peer stands in any description", async () => {
    for (const agent of all) {
      for (const { name, description } of await agent.tools()) {
        assert.doesNotMatch(description, /'s agent\.|counted|quick and careful/, name);
      }
      assert.match(
        await liveStatus(agent),
        new RegExp(agent === ana ? ids.bo.slice(0, 8) : ids.ana.slice(0, 8)),
      );
    }
  });

  await check("mcp: annotations tell what only reads and what destroys", async () => {
    for (const agent of all) {
      const byName = new Map((await agent.tools()).map((tool) => [tool.name, tool.annotations ?? {}]));
      assert.equal(byName.get("darkmatter_list_inbox")?.readOnlyHint, true);
      assert.notEqual(byName.get("darkmatter_send_message")?.readOnlyHint, true);
      assert.equal(byName.get("darkmatter_send_message")?.destructiveHint, false);
    }
  });

  await check(
    "mcp: the resource darkmatter://status reads, with the peers' names marked as theirs",
    async () => {
      for (const agent of all) {
        const text = await agent.read("darkmatter://status");
        assert.match(text, /Agent: (ana|bo|cy) \| Status: active \| Connections: 2/);
        assert.match(text, /not instructions/);
      }
    },
  );
}

async function liveStatus(agent: Agent): Promise<string> {
  const status = (await agent.tools()).find(({ name }) => name === "darkmatter_status");
  const [, live] = status?.description.split("LIVE STATUS: ") ?? [];
  assert.ok(live, "the description carries the live status");
  return live;
}

async function otherTools({ boNode }: Three): Promise<string[]> {
  const agent = await httpAgent(boNode.url, "1.x");
  try {
    return await agent.names();
  } finally {
    await agent.close();
  }
}
