import assert from "node:assert/strict";
import { request } from "node:http";
import { httpAgent } from "../agents.ts";
import { type Checks, until } from "../checks.ts";
import type { Three } from "./three.ts";

const LIST = { jsonrpc: "2.0", id: 1, method: "tools/list", params: {} };
const BEGIN = {
  ...LIST,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "raw", version: "1" } },
};

/** What only HTTP has: who may call, and sessions that outlive neither a node nor a client. */
export async function checkHttp({ check }: Checks, three: Three): Promise<void> {
  const { world, homes, bo, boLegacy, cy, ids, boNode } = three;

  await check("mcp: a foreign Host, Origin or proxy is refused at /mcp and at the local API", async () => {
    for (const [path, body] of [
      ["/mcp", BEGIN],
      ["/__darkmatter__/inbox", undefined],
      ["/__darkmatter__/connections", undefined],
    ] as const) {
      const good = await raw(boNode.url, path, body, {});
      assert.equal(good.status, 200, `${path} ${good.text}`);
      const foreign: Record<string, string>[] = [
        { host: "evil.example" },
        { host: "localhost.evil.example:80" },
        { origin: "https://evil.example" },
        { origin: "null" },
        { "x-forwarded-for": "203.0.113.9" },
      ];
      for (const headers of foreign) {
        const { status, text } = await raw(boNode.url, path, body, headers);
        assert.equal(status, 403, `${path} ${JSON.stringify(headers)}: ${status} ${text}`);
      }
    }
    const named = await raw(boNode.url, "/mcp", BEGIN, {
      host: `localhost:${homes.bo.port}`,
      origin: boNode.url,
    });
    assert.equal(named.status, 200);
  });

  await check(
    "mcp: after its node was killed and restarted an HTTP client is told 404 and begins anew",
    async () => {
      const session = await raw(boNode.url, "/mcp", BEGIN, {});
      const header = { "mcp-session-id": session.session };
      assert.equal((await raw(boNode.url, "/mcp", LIST, header)).status, 200);
      const { messages } = await bo.ask("list_inbox");
      await boNode.kill();
      const again = await world.up(homes.bo);
      assert.equal(again.url, boNode.url);

      assert.equal((await raw(again.url, "/mcp", LIST, header)).status, 404);
      await assert.rejects(boLegacy.call("list_inbox"), /not found|404/i);
      const anew = await httpAgent(again.url, "2.x legacy");
      assert.deepEqual(
        (await anew.ask("list_inbox")).messages,
        messages,
        "acknowledged messages are still there",
      );
      assert.deepEqual(
        (await bo.ask("list_inbox")).messages,
        messages,
        "a client without sessions just goes on",
      );
      await anew.close();
    },
  );

  await check("mcp: what was connected before the restart is connected after it", async () => {
    const sent = await cy.ask("send_message", { content: "are you back?", target_agent_id: ids.bo });
    assert.deepEqual(sent.routed_to, [ids.bo]);
    await bo.ask("respond_message", { message_id: sent.message_id, response: "I am" });
    await until("cy has the answer", async () => {
      const { responses } = await cy.ask("get_sent_message", { message_id: sent.message_id });
      return responses[0]?.response === "I am";
    });
  });
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly session: string;
}

/** A request as any program can make it, with whatever headers. */
function raw(
  url: string,
  path: string,
  body: object | undefined,
  headers: Record<string, string>,
): Promise<Answer> {
  const { hostname, port } = new URL(url);
  const json = { "content-type": "application/json", accept: "application/json, text/event-stream" };
  return new Promise((resolve, reject) => {
    const options = {
      hostname,
      port,
      path,
      method: body ? "POST" : "GET",
      headers: { ...json, ...headers },
      timeout: 5000,
    };
    const call = request(options, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk) => (text += chunk));
      const session = String(response.headers["mcp-session-id"] ?? "");
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text, session }));
    });
    call.on("timeout", () => call.destroy(new Error(`${path} did not answer`)));
    call.on("error", reject);
    call.end(body && JSON.stringify(body));
  });
}
