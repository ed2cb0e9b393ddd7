import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { startProgram, type TestHome, testHome, until } from "./testing/program.ts";

const REAL_MAIN = new URL("./testing/real-main.ts", import.meta.url).pathname;
const real = (at: TestHome, argv: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  startProgram(at, argv, { DARKMATTER_DISCOVERY: "false", ...env }, REAL_MAIN);

/** Notes what it was given, starts a program of its own, and stays. */
const STAND_IN = `#!/bin/sh
sleep 600 &
grandchild=$!
if [ -n "$ENTRY" ]; then
  # As many clients start a server: with the few variables that it is set up with.
  { printf '%s\\n' "$ASKED"; sleep 20; } |
    env -i PATH="$PATH" TMPDIR="$TMPDIR" DARKMATTER_HOME="$DARKMATTER_HOME" $ENTRY mcp > "$0.said" &
fi
printf '%s\\n' "$$ $grandchild" "$PWD" "$DARKMATTER_MCP_URL" "$DARKMATTER_MCP_TOKEN" "$*" > "$0.tmp"
mv "$0.tmp" "$0.told"
wait
`;

/** Ana writes to Bo, whose node starts the stand-in for her message. */
async function handed(timeoutSeconds = 300, more: Readonly<Record<string, string>> = {}) {
  await using undo = new AsyncDisposableStack();
  const [anaHome, boHome] = [undo.use(testHome()), undo.use(testHome())];
  const standIn = join(boHome.temporary, "stand-in");
  writeFileSync(standIn, STAND_IN, { mode: 0o755 });
  const env = {
    DARKMATTER_AGENT_ENABLED: "true",
    DARKMATTER_AGENT_COMMAND: standIn,
    DARKMATTER_AGENT_MIN_TRUST: "-1",
    DARKMATTER_AGENT_TIMEOUT: `${timeoutSeconds}`,
    DARKMATTER_PIN: "1234",
    ...more,
  };
  const up = () => real(boHome, ["up", "--json"], env);
  const bo = undo.use(up());
  const { url, agent_id: boId } = await bo.firstLine();
  const ana = undo.use(await real(anaHome, ["mcp"]).open());
  await ana.call("darkmatter_connection", { action: "request", target_url: url });
  const sent = await ana.call("darkmatter_send_message", { content: "the way?", target_agent_id: boId });
  await until(() => existsSync(`${standIn}.told`), 20_000);
  const [pids = "", cwd, mcpUrl = "", token = "", args = ""] = readFileSync(`${standIn}.told`, "utf8").split(
    "\n",
  );
  const [pid = 0, grandchild = 0] = pids.split(" ").map(Number);
  // The node is killed at the end, and would leave it.
  undo.defer(() => void (isAlive(pid) && process.kill(-pid, "SIGKILL")));
  const kept = undo.move();
  return {
    ...{ standIn, ana, bo, boHome, boId, up, cwd, mcpUrl, token, args, pid, grandchild },
    messageId: sent.message_id as string,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== "linux" || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

const CALL = { jsonrpc: "2.0", id: 1, method: "tools/list", params: {} };
const post = (url: string, token: string) =>
  fetch(url, {
    method: "POST",
    headers: {
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      authorization: `Bearer ${token}`,
    },
    body: JSON.stringify(CALL),
  });

test("a helper works where the agent does, holds its secret in a file of its own, and is the same helper over stdio", async () => {
  await using here = await handed();
  const { boHome, token, mcpUrl, args } = here;
  expect(here.cwd).toBe(boHome.temporary);
  expect(args).not.toContain(token);
  expect((await post(mcpUrl, `${token}0`)).status).toBe(401);
  expect((await post(mcpUrl, token)).status).not.toBe(401);
  const [folder = ""] = readdirSync(boHome.places.helpers);
  const file = join(boHome.places.helpers, folder, "mcp.json");
  expect(readFileSync(file, "utf8")).toContain(token);
  expect(statSync(file).mode & 0o777).toBe(0o600);

  await using session = await real(boHome, ["mcp"], { DARKMATTER_MCP_TOKEN: token }).open();
  const { result } = await session.request("tools/list");
  expect((result.tools as { name: string }[]).map(({ name }) => name).sort()).toEqual([
    "darkmatter_get_identity",
    "darkmatter_get_message",
    "darkmatter_list_inbox",
    "darkmatter_respond_message",
    "darkmatter_send_message",
  ]);
  const answer = { message_id: here.messageId, response: "North." };
  expect(await session.call("darkmatter_respond_message", answer)).toMatchObject({ success: true });
  expect(await session.call("darkmatter_list_connections")).toMatchObject({ success: false });

  const stop = real(boHome, ["spawn", "stop", folder, "--json"]);
  await stop.exited;
  expect(JSON.parse(stop.stdoutText())).toMatchObject({ stopped: true });
  await until(() => !isAlive(here.pid) && !isAlive(here.grandchild));
  expect((await post(mcpUrl, token)).status).toBe(401);
  expect(existsSync(file)).toBe(false);
}, 60_000);

test("a helper and what it started end when its time is over, and when its node stops", async () => {
  await using late = await handed(2);
  await until(() => !isAlive(late.pid) && !isAlive(late.grandchild), 10_000);
  await using stopped = await handed();
  stopped.bo.child.kill("SIGTERM");
  await stopped.bo.exited;
  expect([isAlive(stopped.pid), isAlive(stopped.grandchild)]).toEqual([false, false]);
}, 60_000);

test.runIf(process.platform === "linux")(
  "what a killed node left is ended by the next, its files are gone, and its message is handed to nobody again",
  async () => {
    await using here = await handed();
    here.bo.child.kill("SIGKILL");
    await here.bo.exited;
    expect([isAlive(here.pid), isAlive(here.grandchild)]).toEqual([true, true]);
    await using again = here.up();
    await again.firstLine();
    await until(() => !isAlive(here.pid) && !isAlive(here.grandchild), 10_000);
    await sleep(1000);
    expect(existsSync(here.boHome.places.helpers)).toBe(false);
    const list = real(here.boHome, ["spawn", "list", "--json"]);
    await list.exited;
    const { helpers } = JSON.parse(list.stdoutText());
    expect(helpers).toMatchObject([{ subject: here.messageId, state: "ended", outcome: "node stopped" }]);
  },
  60_000,
);

const ASKED = [
  {
    id: 1,
    method: "initialize",
    params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "0" } },
  },
  { method: "notifications/initialized" },
  { id: 2, method: "tools/list" },
  { id: 3, method: "tools/call", params: { name: "darkmatter_list_connections", arguments: {} } },
].map((one) => JSON.stringify({ jsonrpc: "2.0", ...one }));

// biome-ignore lint/suspicious/noExplicitAny: answers are looked into by tests
const answersOf = (text: string): any[] =>
  text
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));
const toolsOf = (text: string): string[] =>
  answersOf(text)
    .find(({ id }) => id === 2)
    ?.result.tools.map(({ name }: { name: string }) => name);

/** What the owner answers a session of a newer program that says it is this process, and shows no token. */
async function servedAs(socketPath: string, pid: number): Promise<string> {
  const socket = connect(socketPath);
  let said = "";
  socket.on("data", (chunk) => (said += chunk)).on("error", () => undefined);
  const hello = { darkmatter: 1, version: "99.0.0", pid, session: `of-${pid}`, called: [], role: "session" };
  // The older of two programs hands over, and is of no interest here: a session of the same version.
  const same = { ...hello, version: "0.0.1" };
  socket.write(`${[JSON.stringify(pid === process.pid ? same : hello), ...ASKED].join("\n")}\n`);
  await until(() => /"id":3\b/.test(said), 10_000);
  socket.destroy();
  return said;
}

test.runIf(process.platform === "linux")(
  "a server that a helper's client starts without its token is the helper all the same, and never the agent",
  async () => {
    const entry = `${process.execPath} ${REAL_MAIN}`;
    await using here = await handed(300, { ENTRY: entry, ASKED: ASKED.join("\n") });
    const said = () => readFileSync(`${here.standIn}.said`, "utf8");
    await until(() => existsSync(`${here.standIn}.said`) && /"id":3\b/.test(said()), 20_000);
    expect(toolsOf(said())).toContain("darkmatter_respond_message");
    expect(toolsOf(said())).toHaveLength(5);
    const refused = answersOf(said()).find(({ id }) => id === 3);
    expect(refused.result.structuredContent).toMatchObject({ success: false });
  },
  60_000,
);

test.runIf(process.platform === "linux")(
  "whatever a helper started is served nothing without a token, and the node is never handed over to it",
  async () => {
    await using here = await handed();
    for (const pid of [here.pid, here.grandchild]) {
      const said = await servedAs(here.boHome.socket, pid);
      expect(answersOf(said)[0]).toMatchObject({ handingOver: false });
      expect(toolsOf(said)).toEqual([]);
      expect(answersOf(said).find(({ id }) => id === 3).result.structuredContent).toMatchObject({
        success: false,
        next_step: expect.stringContaining("DARKMATTER_MCP_TOKEN"),
      });
    }
    expect(toolsOf(await servedAs(here.boHome.socket, process.pid))).toContain("darkmatter_list_connections");
  },
  60_000,
);
