import { DAY_MS, HOUR_MS, isoTime, type JsonObject, MINUTE_MS, SECOND_MS } from "@darkmatter/core";
import { seededRandom, virtualClock } from "@darkmatter/core/testing";
import { createSigner, peerUpdateText, relayPollText, type Signer, signText } from "@darkmatter/identity";
import { memoryInternet } from "@darkmatter/net/testing";
import { openSqlite } from "@darkmatter/store";
import { tempFolder } from "@darkmatter/store/testing";
import { callHandler, type HandlerCall } from "@darkmatter/surface/testing";
import { describe, expect, test } from "vitest";
import { anchorHost } from "../testing/anchor-host.ts";
import { REGISTRATIONS_MAX } from "./directory.ts";

const random = seededRandom(5);
const ana = createSigner(random.bytes(32));
const eve = createSigner(random.bytes(32));

async function opened(options: { readonly trustProxy?: boolean; readonly path?: string } = {}) {
  const clock = virtualClock({ startMs: Date.parse("2026-03-05T12:00:00Z") });
  const db = await openSqlite({ path: options.path ?? ":memory:" });
  const internet = memoryInternet({ clock, random });
  const host = await anchorHost({ ...options, clock, random, internet, db });
  const call = (given: Partial<HandlerCall> & { path: string }) =>
    callHandler(host.handler, { method: "GET", ...given, path: `/__darkmatter__/${given.path}` });
  const post = (path: string, body: object | string, more: Partial<HandlerCall> = {}) =>
    call({ method: "POST", path, body, ...more });

  function update(signer: Signer, fields: JsonObject = {}): JsonObject {
    const given = {
      agent_id: signer.agentId,
      new_url: "http://198.51.100.4:8100",
      timestamp: isoTime(clock.now()),
      ...(fields as { agent_id?: string; new_url?: string }),
    };
    const { agent_id: agentId, new_url: newUrl, timestamp } = given;
    const signature = signText(signer, peerUpdateText({ agentId, newUrl, timestamp }));
    return { public_key_hex: signer.agentId, signature, ...given };
  }

  const register = (signer: Signer, fields: JsonObject = {}, more: Partial<HandlerCall> = {}) =>
    post("peer_update", update(signer, fields), more);

  /** A poll's address, as somebody on the way could read it. */
  function pollPath(signer: Signer, kind: string, after?: string, agentId = signer.agentId): string {
    const timestamp = isoTime(clock.now());
    const signature = signText(signer, relayPollText({ agentId, timestamp }));
    const query = new URLSearchParams({ signature, timestamp, ...(after !== undefined && { after }) });
    return `${kind}_relay_poll/${agentId}?${query}`;
  }

  async function poll(signer: Signer, kind: string, after?: string) {
    await clock.advance(1);
    const { status, json } = await call({ path: pollPath(signer, kind, after) });
    return { status, ...(json as JsonObject) } as { status: number; cursor?: string } & Record<
      string,
      unknown
    >;
  }

  return {
    clock,
    db,
    host,
    call,
    post,
    update,
    register,
    pollPath,
    poll,
    [Symbol.asyncDispose]: () => db.close(),
  };
}

describe("registering", () => {
  test("nobody registers another's id with a key of their own", async () => {
    await using at = await opened();
    const body = at.update(eve, { agent_id: ana.agentId });
    expect((await at.post("peer_update", body)).status).toBe(403);
    expect((await at.post("peer_update", { ...body, public_key_hex: ana.agentId })).status).toBe(403);
    expect((await at.call({ path: `peer_lookup/${ana.agentId}` })).status).toBe(404);
  });

  test("an update somebody kept does not take an agent back to where it was", async () => {
    await using at = await opened();
    const kept = at.update(ana, { new_url: "http://203.0.113.1:1" });
    await at.clock.advance(MINUTE_MS);
    await at.register(ana, { new_url: "http://203.0.113.2:2" });

    expect((await at.post("peer_update", kept)).status).toBe(403);

    expect((await at.call({ path: `peer_lookup/${ana.agentId}` })).json).toMatchObject({
      url: "http://203.0.113.2:2",
    });
  });

  test("a registration and a poll that are five minutes old are refused", async () => {
    await using at = await opened();
    await at.register(ana);
    const kept = { update: at.update(ana), poll: at.pollPath(ana, "message") };
    await at.clock.advance(5 * MINUTE_MS + 1);
    expect((await at.post("peer_update", kept.update)).status).toBe(403);
    expect((await at.call({ path: kept.poll })).status).toBe(403);
  });

  test("a full directory forgets the silent, and then takes nobody new", async () => {
    await using at = await opened();
    const fill = (aliveMs: number) =>
      at.db.write(async (tx) => {
        await tx.run("DELETE FROM anchor_agents");
        for (let i = 0; i < REGISTRATIONS_MAX; i++) {
          const sql =
            "INSERT INTO anchor_agents (agent_id, url, signed_ms, seen_ms, alive_ms) VALUES (?, 'u', 0, 0, ?)";
          await tx.run(sql, `agent-${i}`, aliveMs);
        }
      });
    await fill(at.clock.now() - DAY_MS + 1);
    expect((await at.register(ana)).status).toBe(429);
    await fill(at.clock.now() - DAY_MS - 1);
    expect((await at.register(ana)).status).toBe(200);
  });

  test("an agent that still asks for its messages is not forgotten", async () => {
    await using at = await opened();
    await at.register(ana);
    await at.clock.advance(DAY_MS + HOUR_MS);
    await at.poll(ana, "message");
    const row = await at.db.get<{ alive_ms: number }>("SELECT alive_ms FROM anchor_agents");
    expect(row?.alive_ms).toBe(at.clock.now());
    expect((await at.call({ path: `peer_lookup/${ana.agentId}` })).status).toBe(404);
  });

  test("one address may register ten times a minute, whatever it says of itself", async () => {
    await using at = await opened();
    const from = (address: string) => ({ remote: "5.5.5.5", headers: { "x-forwarded-for": address } });
    for (let i = 0; i < 10; i++) expect((await at.register(ana, {}, from(`1.1.1.${i}`))).status).toBe(200);
    expect((await at.register(ana, {}, from("9.9.9.9"))).status).toBe(429);
    expect((await at.register(ana, {}, { remote: "5.5.5.6" })).status).toBe(200);
    await at.clock.advance(MINUTE_MS);
    expect((await at.register(ana, {}, from("9.9.9.9"))).status).toBe(200);
  });

  test("one address has five hundred new agents a day, and those it has may go on", async () => {
    await using at = await opened();
    const from = (address: string) => ({ remote: address });
    const statuses: number[] = [];
    for (let i = 0; i < 501; i++) {
      const newcomer = createSigner(random.bytes(32));
      statuses.push((await at.register(newcomer, {}, from("5.5.5.5"))).status);
      if (i % 10 === 9) await at.clock.advance(MINUTE_MS);
    }
    expect(statuses.indexOf(429)).toBe(500);
    expect((await at.register(ana, {}, from("5.5.5.6"))).status).toBe(200);
    expect((await at.register(ana, {}, from("5.5.5.5"))).status).toBe(200);
    await at.clock.advance(DAY_MS);
    expect((await at.register(eve, {}, from("5.5.5.5"))).status).toBe(200);
  });

  test("behind a proxy that is trusted, the address the proxy saw counts", async () => {
    await using at = await opened({ trustProxy: true });
    const from = (chain: string) => ({ remote: "127.0.0.1", headers: { "x-forwarded-for": chain } });
    for (let i = 0; i < 10; i++) await at.register(ana, {}, from(`9.9.9.${i}, 5.5.5.5`));
    expect((await at.register(ana, {}, from("8.8.8.8, 5.5.5.5"))).status).toBe(429);
    expect((await at.register(ana, {}, from("5.5.5.6"))).status).toBe(200);
    expect((await at.register(ana, {}, from("5.5.5.5:61000"))).status).toBe(429);
    for (let i = 0; i < 10; i++) await at.register(ana, {}, from(`[2001:db8:1:2::${i}]:61${i}`));
    expect((await at.register(ana, {}, from("2001:db8:1:2::a"))).status).toBe(429);
  });
});

describe("what is left for an agent", () => {
  const kinds = ["webhook", "connection", "sdp", "message"];
  const pathOf = (kind: string, id: string) =>
    kind === "webhook" ? `webhook_relay/${id}/msg-1` : `${kind}_relay/${id}`;
  const listOf: Record<string, string> = {
    webhook: "callbacks",
    connection: "callbacks",
    sdp: "signals",
    message: "messages",
  };

  test.each(kinds)("%s lies apart from the other kinds, and is handed out once", async (kind) => {
    await using at = await opened();
    await at.register(ana);
    for (const one of kinds) await at.post(pathOf(one, ana.agentId), { kind: one });
    const entry = kind === "webhook" ? { message_id: "msg-1", data: { kind } } : { kind };

    expect(await at.poll(ana, kind)).toMatchObject({ status: 200, [listOf[kind] ?? ""]: [entry] });
    expect(await at.poll(ana, kind)).toMatchObject({ status: 200, [listOf[kind] ?? ""]: [] });
  });

  test.each([
    ["webhook", 100, HOUR_MS],
    ["connection", 20, HOUR_MS],
    ["sdp", 10, 120 * SECOND_MS],
    ["message", 50, HOUR_MS],
  ] as const)("of %s the last %i are kept", async (kind, most, lifetimeMs) => {
    await using at = await opened();
    await at.register(ana);
    for (let i = 0; i < most + 3; i++) await at.post(pathOf(kind, ana.agentId), { i });
    await at.clock.advance(lifetimeMs - 1);

    const found = (await at.poll(ana, kind))[listOf[kind] ?? ""] as JsonObject[];

    expect(found).toHaveLength(most);
    expect(JSON.stringify(found[0])).toContain('"i":3');
    await at.post(pathOf(kind, ana.agentId), { late: true });
    await at.clock.advance(lifetimeMs + 1);
    expect((await at.poll(ana, kind))[listOf[kind] ?? ""]).toEqual([]);
  });

  test("nobody drains what is another's", async () => {
    await using at = await opened();
    await at.register(ana);
    await at.register(eve);
    await at.post(pathOf("message", ana.agentId), { secret: 1 });
    expect((await at.call({ path: at.pollPath(eve, "message", undefined, ana.agentId) })).status).toBe(403);
    expect(await at.poll(ana, "message")).toMatchObject({ messages: [{ secret: 1 }] });
  });

  test("a poll's address is good once: whoever saw it gets nothing and takes nothing away", async () => {
    await using at = await opened();
    await at.register(ana);
    const seen = at.pollPath(ana, "message");
    expect((await at.call({ path: seen })).json).toMatchObject({ messages: [] });
    await at.post(pathOf("message", ana.agentId), { secret: 1 });

    expect((await at.call({ path: seen })).json).toEqual({ success: true, messages: [] });

    expect(await at.poll(ana, "message")).toMatchObject({ messages: [{ secret: 1 }] });
  });

  test("a poll stays used over a restart, for as long as its signature is fresh", async () => {
    using folder = tempFolder();
    const path = `${folder.path}/anchor.db`;
    let seen = "";
    {
      await using at = await opened({ path });
      await at.register(ana);
      seen = at.pollPath(ana, "message");
      await at.call({ path: seen });
      await at.post(pathOf("message", ana.agentId), { secret: 1 });
    }
    await using again = await opened({ path });
    expect((await again.call({ path: seen })).json).toEqual({ success: true, messages: [] });
    expect(await again.poll(ana, "message")).toMatchObject({ messages: [{ secret: 1 }] });
  });

  test("a client that acknowledges gets an entry again until it says that it has it", async () => {
    await using at = await opened();
    await at.register(ana);
    await at.post(pathOf("message", ana.agentId), { i: 1 });
    const first = await at.poll(ana, "message", "");
    expect(first.messages).toEqual([{ i: 1 }]);
    // The answer was lost: it asks as before.
    expect((await at.poll(ana, "message", "")).messages).toEqual([{ i: 1 }]);
    await at.post(pathOf("message", ana.agentId), { i: 2 });

    const next = await at.poll(ana, "message", first.cursor);

    expect(next.messages).toEqual([{ i: 2 }]);
    expect((await at.poll(ana, "message", next.cursor)).messages).toEqual([]);
    expect((await at.poll(ana, "message", "")).messages).toEqual([]);
  });

  test("what another database's cursor names is nothing here", async () => {
    await using at = await opened();
    await at.register(ana);
    await at.post(pathOf("message", ana.agentId), { i: 1 });
    for (const after of ["0123456789abcdef.99", "nonsense", ".5", "99"]) {
      expect((await at.poll(ana, "message", after)).messages).toEqual([{ i: 1 }]);
    }
  });

  test("nothing is held for an agent that never registered", async () => {
    await using at = await opened();
    for (const kind of kinds) expect((await at.post(pathOf(kind, ana.agentId), { a: 1 })).status).toBe(404);
  });

  test("a body over 128 KiB, and one that is no object, is refused", async () => {
    await using at = await opened();
    await at.register(ana);
    const large = { x: "y".repeat(128 * 1024) };
    for (const kind of kinds) {
      expect((await at.post(pathOf(kind, ana.agentId), large)).status).toBe(413);
      for (const wrong of ["nope", "[]", "3", ""]) {
        expect((await at.post(pathOf(kind, ana.agentId), wrong)).status).toBe(400);
      }
    }
  });

  test("one answer is bounded, and the rest comes with the next", async () => {
    await using at = await opened();
    await at.register(ana);
    for (let i = 0; i < 9; i++) await at.post(pathOf("message", ana.agentId), { i, x: "y".repeat(100_000) });
    const first = (await at.poll(ana, "message")).messages as unknown[];
    const second = (await at.poll(ana, "message")).messages as unknown[];
    expect(first).toHaveLength(5);
    expect(second).toHaveLength(4);
  });

  test("one address may leave 200 things a minute, over all kinds", async () => {
    await using at = await opened();
    await at.register(ana);
    const statuses = new Set<number>();
    for (let i = 0; i < 200; i++) {
      statuses.add(
        (await at.post(pathOf(kinds[i % 4] ?? "", ana.agentId), { i }, { remote: "5.5.5.5" })).status,
      );
    }
    expect([...statuses]).toEqual([200]);
    expect((await at.post(pathOf("sdp", ana.agentId), {}, { remote: "5.5.5.5" })).status).toBe(429);
    expect((await at.post(pathOf("sdp", ana.agentId), {}, { remote: "5.5.5.6" })).status).toBe(200);
  });

  test("one address leaves at most 32 MiB an hour: nobody fills an anchor alone", async () => {
    await using at = await opened();
    await at.register(ana);
    const body = { x: "y".repeat(128 * 1024 - 9) };
    let taken = 0;
    const send = (remote: string) => at.post(pathOf("message", ana.agentId), body, { remote });
    for (let i = 0; i < 300; i++) {
      if ((await send("5.5.5.5")).status === 200) taken++;
      if (i % 150 === 149) await at.clock.advance(MINUTE_MS);
    }
    expect(taken).toBe(256);
    expect((await send("5.5.5.6")).status).toBe(200);
    await at.clock.advance(HOUR_MS);
    expect((await send("5.5.5.5")).status).toBe(200);
  });

  test("an anchor that holds all it can takes nothing more until some of it went", async () => {
    await using at = await opened();
    await at.register(ana);
    const full =
      "INSERT INTO anchor_entries (kind, agent_id, body, bytes, at_ms) VALUES ('sdp', 'x', '{}', ?, ?)";
    await at.db.write((tx) => tx.run(full, 256 * 1024 * 1024, at.clock.now()));
    const prune = () => at.host.anchor.jobs[0]?.run();
    await prune();
    expect((await at.post(pathOf("message", ana.agentId), { i: 1 })).status).toBe(429);
    await at.clock.advance(121 * SECOND_MS);
    await prune();
    expect((await at.post(pathOf("message", ana.agentId), { i: 1 })).status).toBe(200);
  });

  test("an IPv6 subscriber is one address, however many it has", async () => {
    await using at = await opened();
    await at.register(ana);
    for (let i = 0; i < 200; i++) {
      await at.post(pathOf("sdp", ana.agentId), { i }, { remote: `2001:db8:1:2::${i.toString(16)}` });
    }
    const send = (remote: string) => at.post(pathOf("sdp", ana.agentId), {}, { remote });
    expect((await send("2001:db8:1:2:ffff::1")).status).toBe(429);
    expect((await send("2001:db8:1:3::1")).status).toBe(200);
  });

  test("the paths to exempt from a site's form checks are those of the posts", async () => {
    await using at = await opened();
    expect(at.host.anchor.exempt).toEqual([
      "/__darkmatter__/peer_update",
      "/__darkmatter__/webhook_relay/:agent_id/:message_id",
      "/__darkmatter__/connection_relay/:agent_id",
      "/__darkmatter__/sdp_relay/:agent_id",
      "/__darkmatter__/message_relay/:agent_id",
    ]);
  });
});
