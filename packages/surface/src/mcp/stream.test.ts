import { expect, test } from "vitest";
import { ERAS, serveMcpTo } from "../testing/mcp-client.ts";
import { sampleTable } from "../testing/sample-table.ts";

const SHOWN = ["echo", "status", "broken", "wait"];

test.each(ERAS)("a client of %s lists, calls and reads", async (era) => {
  const table = sampleTable();
  const { client, errors } = await serveMcpTo(era, table);
  expect(client.instructions).toBe("Say something.");
  expect(await client.names()).toEqual(SHOWN);
  const said = await client.call("echo", { words: "  hello " }, { meta: { "darkmatter/call": "call-7" } });
  expect(said.structured).toEqual({ success: true, words: "hello", mood: "glad", _hint: "for test-session" });
  expect(JSON.parse(said.text)).toEqual(said.structured);
  expect(table.calls[0]?.call).toMatchObject({ session: "test-session", callId: "call-7" });
  expect(await client.call("status")).toEqual({ structured: undefined, text: "calm", isError: false });
  expect(await client.readResource("darkmatter://status")).toBe("calm");
  await expect(client.readResource("darkmatter://nowhere")).rejects.toThrow();
  await expect(client.call("no_such_tool")).rejects.toThrow("Unknown tool");
  await client.close();
  expect(errors).toEqual([]);
});

test.each(ERAS)(
  "what goes wrong in a tool is a result to a client of %s, and told to the log",
  async (era) => {
    const { client, errors } = await serveMcpTo(era, sampleTable());
    const refused = await client.call("echo", { words: "" });
    expect(refused).toMatchObject({
      isError: true,
      structured: { success: false, error: expect.stringContaining("words") },
    });
    const broken = await client.call("broken");
    expect(broken).toMatchObject({ isError: true, structured: { success: false } });
    expect(broken.text).not.toContain("secret");
    expect(errors).toMatchObject([{ message: "secret of the house" }]);
    await client.close();
  },
);

test.each(ERAS)("progress and cancellation reach a client of %s", async (era) => {
  const table = sampleTable();
  const { client } = await serveMcpTo(era, table);
  const heard: (string | undefined)[] = [];
  const cancel = new AbortController();
  const waiting = client.call(
    "wait",
    { forever: true },
    {
      signal: cancel.signal,
      onProgress({ message }) {
        heard.push(message);
        if (heard.length === 3) cancel.abort();
      },
    },
  );
  await expect(waiting).rejects.toThrow();
  expect(heard).toEqual(["step 1", "step 2", "step 3"]);
  await expect.poll(() => table.calls[0]?.call.signal.aborted).toBe(true);
  await client.close();
});

test.each(ERAS)(
  "a change of what is seen is announced to a client of %s, and nothing else is",
  async (era) => {
    const table = sampleTable();
    const { client } = await serveMcpTo(era, table);
    await client.names();
    let heard = 0;
    const listening = client.changed().then(() => heard++);
    table.announce();
    await client.call("status");
    expect(heard).toBe(0);
    table.status = "busy";
    table.announce();
    await listening;
    const status = (await client.tools()).find(({ name }) => name === "status");
    expect(status?.description).toBe("LIVE STATUS: busy");
    await client.close();
  },
);

test.each(ERAS)("a hidden tool works for a client of %s, and is seen from then on", async (era) => {
  const table = sampleTable();
  const state = { called: new Set<string>() };
  const { client } = await serveMcpTo(era, table, "one", state);
  const other = await serveMcpTo(era, table, "two");
  expect(await client.names()).toEqual(SHOWN);
  expect(await client.call("hidden")).toMatchObject({ isError: true, structured: { error: "nothing here" } });
  await client.changed();
  expect(await client.names()).toContain("hidden");
  expect(await other.client.names()).toEqual(SHOWN);
  await client.close();
  const moved = await serveMcpTo(era, table, "one", state);
  expect(await moved.client.names()).toContain("hidden");
  await Promise.all([moved.client.close(), other.client.close()]);
});

test.each(ERAS)("a session of %s ends with its client, aborts its calls and listens no more", async (era) => {
  const table = sampleTable();
  const { client, stream } = await serveMcpTo(era, table);
  const waiting = client.call("wait", { forever: true }).catch(() => "gone");
  await expect.poll(() => table.calls.length).toBe(1);
  expect(table.listeners()).toBe(1);
  await client.close();
  await stream.closed;
  expect(await waiting).toBe("gone");
  expect(table.calls[0]?.call.signal.aborted).toBe(true);
  expect(table.listeners()).toBe(0);
});

test("one session that cannot be told keeps no other from hearing", async () => {
  const table = sampleTable();
  const dead = await serveMcpTo("2025-11-25", table, "dead");
  const alive = await serveMcpTo("2025-11-25", table, "alive");
  await dead.stream.close();
  table.status = "busy";
  table.announce();
  await alive.client.changed();
  expect(dead.errors).toEqual([]);
  await alive.client.close();
});

test("closing from our side ends the session of either era", async () => {
  for (const era of ERAS) {
    const table = sampleTable();
    const { stream } = await serveMcpTo(era, table);
    await stream.close();
    await stream.closed;
    expect(table.listeners()).toBe(0);
  }
});
