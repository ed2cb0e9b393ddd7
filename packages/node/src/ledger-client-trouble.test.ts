import { readdirSync } from "node:fs";
import { type CommandInput, EXIT_OK, type ExitCode } from "@darkmatter/surface";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunningLedgerServer } from "./adapters/ledger-server.ts";
import { ownOrServer } from "./commands/ledger-client/own-or-server.ts";
import { nodeError } from "./errors.ts";
import {
  type AtFolder,
  atFolder,
  fakeServer,
  initialised,
  realLedgerServer,
  STRANGE_KEY,
  serverWith,
} from "./testing/at-folder.ts";

let server: RunningLedgerServer;
beforeAll(async () => {
  server = await realLedgerServer();
});
afterAll(() => server[Symbol.asyncDispose]());

describe("what goes wrong says what to do", () => {
  const asking = (url: string): AtFolder => {
    const at = atFolder();
    at.env.DARKMATTER_API_KEY = STRANGE_KEY;
    at.env.DARKMATTER_HOST = url;
    return at;
  };

  test("no server, no key, a key nobody knows, no such commit, nobody there", async () => {
    using nowhere = atFolder();
    expect(await nowhere.json("me")).toMatchObject({
      code: 1,
      said: { hint: expect.stringContaining("--host URL") },
    });
    expect(await nowhere.json("me", "--host", server.url)).toMatchObject({
      said: { hint: expect.stringContaining("darkmatter init") },
    });
    using stranger = asking(server.url);
    const refused = await stranger.json("me");
    expect(refused).toMatchObject({ code: 1, said: { hint: expect.stringContaining("rotated") } });
    expect(JSON.stringify(refused)).not.toContain(STRANGE_KEY);
    using at = await initialised(server.url);
    expect(await at.json("share", "ctx_1_000000000000")).toMatchObject({
      code: 1,
      said: { hint: expect.stringContaining("darkmatter search") },
    });
    expect((await at.json("replay", "7")).said.error).toContain("this account holds 0");
    using away = asking("http://127.0.0.1:9");
    expect(await away.json("me")).toMatchObject({
      code: 1,
      said: { error: "http://127.0.0.1:9 does not answer." },
    });
    expect((await away.json("me", "--limit")).code).toBe(2);
  });

  test("too many calls: when to come again", async () => {
    await using busy = await fakeServer(429, { "retry-after": "42" }, '{"error":"Too many requests."}');
    using at = asking(busy.url);
    expect(await at.json("me")).toMatchObject({
      code: 1,
      said: { error: "Too many requests. Try again in 42 s." },
    });
  });

  test("a redirect is not followed: the key goes nowhere else", async () => {
    await using elsewhere = await fakeServer(200, {}, "{}");
    await using server = await fakeServer(307, { location: `${elsewhere.url}/api/me` }, "");
    using at = asking(server.url);
    expect((await at.json("me")).said.error).toContain("that is not followed");
    expect(server.asked).toMatchObject([{ authorization: `Bearer ${STRANGE_KEY}` }]);
    expect(elsewhere.asked).toEqual([]);
  });

  test("a .env that names another server gets no key, and neither does --host", async () => {
    await using evil = await fakeServer(200, {}, '{"agentId":"dm_x","agentName":"x"}');
    using at = asking(server.url);
    at.write(".env", `DARKMATTER_HOST=${evil.url}\n`);
    expect(await at.json("me")).toMatchObject({
      code: 1,
      said: { error: expect.stringContaining("is not sent to") },
    });
    expect((await at.json("me", "--host", evil.url)).code).toBe(1);
    expect(evil.asked).toEqual([]);
  });

  test("a server's words move no cursor and repeat no key; other programs' answers are named", async () => {
    await using rude = await fakeServer(400, {}, JSON.stringify({ error: `no \u001b[2J ${STRANGE_KEY}` }));
    using at = asking(rude.url);
    const { said } = await at.json("me");
    expect(said.error).toContain("no �[2J dm_sk_0123••••••••");
    expect(said.error).not.toContain(STRANGE_KEY);
    await using other = await fakeServer(200, {}, "<html>");
    using there = asking(other.url);
    expect((await there.json("me")).said.error).toContain("no JSON");
    await using empty = await fakeServer(200, {}, "{}");
    using here = asking(empty.url);
    expect((await here.json("me")).said.error).toContain("without agentId");
  });

  test("a server that cannot do it is no fault of what was typed", async () => {
    await using broken = await fakeServer(503, {}, '{"error":"The database cannot be reached."}');
    using at = asking(broken.url);
    const { said } = await at.json("me");
    expect(said).toEqual({
      error: `${broken.url}: The database cannot be reached.`,
      hint: expect.stringContaining("Try again later."),
    });
  });

  test("Ctrl-C leaves nothing half-written", async () => {
    const stop = new AbortController();
    await using slow = await serverWith(async () => {
      setTimeout(() => stop.abort(), 50);
      return { body: '{"chain":[' };
    });
    using at = asking(slow.url);
    const { code, err } = await at.typedUntil(stop.signal, "export", "ctx_1_000000000000", "-o", "x.json");
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining("Stopped.") });
    expect(err).toContain("nothing was changed there");
    expect(readdirSync(at.folder)).toEqual([]);
  });

  test("Ctrl-C says that something may have been done only where something was to be", async () => {
    let stop = new AbortController();
    await using slow = await serverWith(async () => {
      setTimeout(() => stop.abort(), 20);
      return { body: '{"slow":[' };
    });
    using at = asking(slow.url);
    const id = "ctx_1_000000000000";
    for (const argv of [["recent"], ["search", "x"], ["verify", id, "--server"], ["shares", "revoke", id]]) {
      stop = new AbortController();
      const { code, err } = await at.typedUntil(stop.signal, ...argv);
      const isWriting = argv[0] === "shares";
      expect([argv, code, err.includes("may have been done")]).toEqual([argv, 1, isWriting]);
      expect([argv, err.includes("nothing was changed there")]).toEqual([argv, !isWriting]);
    }
  });
});

describe("this agent's own ledger and a server's", () => {
  test("a word that is no commit's id is told to no server", async () => {
    await using curious = await fakeServer(404, {}, '{"error":"no"}');
    using at = atFolder();
    at.env.DARKMATTER_API_KEY = STRANGE_KEY;
    at.env.DARKMATTER_HOST = curious.url;
    expect((await at.json("replay", "Ana")).said.error).toContain('"Ana" is no id of a commit');
    expect((await at.json("verify", "nothing.json")).said.error).toContain("There is no file nothing.json");
    expect(curious.asked).toEqual([]);
    await at.json("replay", "ctx_1_000000000000");
    expect(curious.asked).toMatchObject([{ url: "/api/replay/ctx_1_000000000000?mode=summary" }]);
    await at.json("replay", "Ana", "--server");
    expect(curious.asked).toHaveLength(2);
  });

  test("what the own ledger has not is asked of the server, but for numbers: they mean its own list", async () => {
    const input = { options: {} } as unknown as CommandInput;
    const answers = {
      own: async () => Promise.reject(nodeError("COMMIT_UNKNOWN", "not here.")),
      server: async (): Promise<ExitCode> => EXIT_OK,
    };
    const id = "ctx_1795310362309_8551b20a4a4a";
    await expect(ownOrServer(input, id, answers)).rejects.toThrow("not here. No ledger server was asked");
    process.env.DARKMATTER_API_KEY = STRANGE_KEY;
    try {
      expect(await ownOrServer(input, id, answers)).toBe(EXIT_OK);
      await expect(ownOrServer(input, "7", answers)).rejects.toThrow(/^not here\.$/);
      await expect(ownOrServer(input, "Ana", answers)).rejects.toThrow(/^not here\.$/);
      const named = { options: { server: true } } as unknown as CommandInput;
      expect(await ownOrServer(named, "7", answers)).toBe(EXIT_OK);
    } finally {
      delete process.env.DARKMATTER_API_KEY;
    }
  });

  test("with neither, both are named", async () => {
    using at = atFolder();
    for (const command of [["recent"], ["replay", "1"], ["export", "ctx_1_000000000000"]]) {
      expect(await at.json(...command)).toMatchObject({
        code: 1,
        said: { hint: "Start a node: darkmatter up. Or use a ledger server: darkmatter init" },
      });
    }
  });
});
