import { memoryDatabase } from "@darkmatter/store/testing";
import { expect, test } from "vitest";
import { longChain } from "../../testing/server-chain-world.ts";
import { chainOf, share, sharesSuite } from "../../testing/server-shares-suite.ts";
import { type TestServer, testServer } from "../../testing/test-server.ts";
import { ledgerServerMigrations } from "../schema.ts";
import { markdownText } from "./markdown.ts";
import { insertShare } from "./shares.store.ts";

sharesSuite("SQLite", () => memoryDatabase(ledgerServerMigrations));

const HOSTILE = `"'><script>alert(1)</script><img src=x onerror=alert(1)>]]>&lt;\u0000\u202e`;

/** An agent's name obeys a pattern when it is given; what lies in the database may be older than the pattern. */
async function hostileChain(server: TestServer) {
  const ana = await server.account(HOSTILE);
  const commit = await server.commit(ana, {
    payload: { [HOSTILE]: HOSTILE, deep: [{ a: HOSTILE, n: 1.0 }] },
    eventType: HOSTILE.slice(0, 60).replaceAll(/[\p{C}]/gu, ""),
    agent: { role: "</dl><script>", model: "<b onclick=x>`[a](http://evil.test)`", provider: "<i>" },
  });
  return {
    ana,
    id: commit.id,
    share: await share(server, ana, commit.id, { label: HOSTILE.replace("\0", "") }),
  };
}

/** Names of the elements, and of the attributes they carry. */
const elementsOf = (text: string) =>
  new Set([...text.matchAll(/<([a-zA-Z!/][^\s>]*)([^>]*)>/g)].map(([, name = ""]) => name.toLowerCase()));
const attributesOf = (text: string) =>
  new Set(
    [...text.matchAll(/<[a-zA-Z][^\s>]*((?:\s+[\w:-]+="[^"]*")*)/g)].flatMap(([, all = ""]) =>
      [...all.matchAll(/([\w:-]+)="/g)].map(([, name = ""]) => name),
    ),
  );

test("nothing that was committed becomes markup of a page", async () => {
  await using server = await testServer();
  const hostile = await hostileChain(server);
  for (const path of [`/chain/${hostile.share.shareId}`, `/r/${hostile.id}`, `/verify/${hostile.id}`]) {
    const { status, text } = await server.call({ path });
    expect(status).toBe(200);
    expect(text).not.toMatch(/<script|<img|onerror=alert\(1\)>|<b |<i>/i);
    expect(text).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
    expect(text).not.toContain("\0");
    for (const name of elementsOf(text))
      expect(name).toMatch(
        /^\/?(!doctype|html|head|meta|title|style|body|h1|p|dl|dt|dd|a|code|bdi|details|summary|span|pre)$/,
      );
    for (const name of attributesOf(text))
      expect(name).toMatch(/^(lang|charset|name|content|property|class|href)$/);
  }
});

test("pages run nothing, load nothing and are framed by nobody", async () => {
  await using server = await testServer();
  const { id, share: made } = await hostileChain(server);
  for (const path of [`/chain/${made.shareId}`, `/r/${id}`, "/r/unknown", "/chain/unknown"]) {
    const { headers, text } = await server.call({ path });
    const policy = headers["content-security-policy"] ?? "";
    expect(policy).toMatch(/^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='; base-uri 'none'/);
    expect(policy).not.toMatch(/script-src|unsafe|https?:/);
    expect(headers["content-type"]).toBe("text/html; charset=utf-8");
    expect(headers["x-content-type-options"]).toBe("nosniff");
    expect(headers["cache-control"]).toBe("no-store");
    const style = /<style>([\s\S]*?)<\/style>/.exec(text)?.[1] ?? "";
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(style));
    expect(policy).toContain(`'sha256-${Buffer.from(digest).toString("base64")}'`);
    for (const [, url = ""] of text.matchAll(/(?:href|src)="([^"]*)"/g))
      expect(url).toMatch(/^http:\/\/ledger\.test\//);
  }
});

test("nothing that was committed becomes markup of a card", async () => {
  await using server = await testServer();
  const { share: made } = await hostileChain(server);
  const { headers, text } = await server.call({ path: `/api/og/${made.shareId}` });
  expect(headers["content-type"]).toBe("image/svg+xml; charset=utf-8");
  expect(headers["content-security-policy"]).toMatch(/^default-src 'none'/);
  expect([...elementsOf(text)].sort()).toEqual(["/g", "/svg", "/text", "g", "rect", "svg", "text"].sort());
  expect(text).not.toContain("\0");
  expect(text).toContain("&lt;script&gt;");
});

test("nothing that was committed becomes Markdown or HTML of a summary", async () => {
  await using server = await testServer();
  const { share: made } = await hostileChain(server);
  expect(made.markdown).not.toMatch(/<|>(?!$)/);
  expect(made.markdown.match(/\]\(/g)).toHaveLength(1);
  expect(made.markdown).toContain(`](${made.shareUrl})`);
  expect(made.markdown.split("\n")).toHaveLength(9);
});

test.each([
  ["# a\n# b", "\\# a \\# b"],
  ["[a](http://evil.test)", "\\[a\\](http\\://evil.test)".replace("(", "\\(").replace(/\)$/, "\\)")],
  ["![x](y)", "\\!\\[x\\]\\(y\\)"],
  ["`code` *b* _i_ ~~s~~", "\\`code\\` \\*b\\* \\_i\\_ \\~\\~s\\~\\~"],
  ["@team #12", "\\@team \\#12"],
  ["www.evil.test", "www\\.evil.test"],
  ["<b>&amp;", "&lt;b&gt;&amp;amp;"],
  ["a\\", "a\\\\"],
  ["claude 4.6", "claude 4.6"],
])("%j is shown in Markdown as it is", (text, markdown) => {
  expect(markdownText(text)).toBe(markdown);
});

test("any payload can be shown, whatever JSON it is", async () => {
  await using server = await testServer();
  const ana = await server.account();
  const deep = `${'{"a":'.repeat(200)}1.50${"}".repeat(200)}`;
  const bodies = [
    '{"payload":{}}',
    '{"payload":{"input":{"a":[1.0,1e-7,9007199254740993,null,true]},"output":["x"]}}',
    `{"payload":${deep}}`,
    JSON.stringify({ payload: { long: "<b>".repeat(20_000) } }),
  ];
  let parentId: string | null = null;
  for (const body of bodies) {
    const answer = await server.call(
      { path: "/api/commit", body: body.replace(/^\{/, `{"parentId":${JSON.stringify(parentId)},`) },
      ana,
    );
    expect(answer.status).toBe(200);
    parentId = (answer.json as { id: string }).id;
  }
  const { shareId } = await share(server, ana, parentId ?? "");
  const { status, text } = await server.call({ path: `/chain/${shareId}` });
  expect(status).toBe(200);
  for (const token of ["1.0", "1e-7", "9007199254740993"]) expect(text).toContain(`<code>${token}</code>`);
  expect(text).not.toContain("<b>");
  expect((await server.call({ path: `/api/chain/${shareId}` })).text).toContain("1e-7,9007199254740993");
});

test("a long chain is shown in parts, and judged as a whole", async () => {
  await using server = await testServer();
  const ana = await server.account();
  const big = "x".repeat(3_000_000);
  const ids = await chainOf(server, ana, 4, { payload: { big } });
  const { shareId } = await share(server, ana, ids.at(-1) ?? "");
  const part = async (from: string) =>
    (await server.call({ path: `/api/chain/${shareId}${from}` })).json as unknown as {
      replay: { step: number }[];
      totalSteps: number;
      truncated: boolean;
      nextStep?: number;
    };
  const first = await part("");
  expect(first).toMatchObject({ totalSteps: 4, truncated: true, nextStep: 3, chainIntact: true });
  const second = await part("?from=3");
  expect(second).toMatchObject({ totalSteps: 4, truncated: false });
  expect([...first.replay, ...second.replay].map(({ step }) => step)).toEqual([1, 2, 3, 4]);
  for (const from of ["?from=0", "?from=x", "?from=1.5"])
    expect((await server.call({ path: `/api/chain/${shareId}${from}` })).status).toBe(400);
});

test("a page ends after two hundred steps, and says where it goes on", async () => {
  await using server = await testServer();
  const ana = await server.account();
  const ids = await chainOf(server, ana, 201);
  const { shareUrl } = await share(server, ana, ids.at(-1) ?? "");
  const path = new URL(shareUrl).pathname;
  const [first, rest] = [await server.call({ path }), await server.call({ path: `${path}?from=201` })];
  expect(first.text.match(/<details/g)).toHaveLength(200);
  expect(first.text).toContain(`href="${shareUrl}?from=201"`);
  expect(rest.text.match(/<details/g)).toHaveLength(1);
  expect(rest.text).not.toContain("?from=");
  for (const { text } of [first, rest]) expect(text).toContain("Intact: all 201 steps");
});

test.each([
  { label: "x".repeat(201) },
  { label: 7 },
  { expiresInDays: 0 },
  { expiresInDays: -1 },
  { expiresInDays: 1e9 },
  { expiresInDays: "1" },
])("a share with %j is refused", async (wishes) => {
  await using server = await testServer();
  const ana = await server.account();
  const [id = ""] = await chainOf(server, ana, 1);
  expect((await server.call({ path: `/api/share/${id}`, body: wishes }, ana)).status).toBe(400);
  expect((await server.call({ path: "/api/shares" }, ana)).json).toMatchObject({ count: 0 });
});

test("a commit may be shared as it is made", async () => {
  await using server = await testServer();
  const ana = await server.account();
  const commit = await server.commit(ana, { payload: { a: 1 }, share: true });
  expect(commit).toMatchObject({ verify_public: true });
  expect((await server.call({ path: `/r/${commit.id}?format=json` })).status).toBe(200);
});

test("without a credential nothing is shared, listed or revoked", async () => {
  await using server = await testServer();
  const calls = [
    { path: "/api/share/ctx_1", body: {} },
    { path: "/api/share/trace/t", body: {} },
    { path: "/api/share/ctx_1/markdown" },
    { path: "/api/shares" },
    { method: "DELETE", path: "/api/share/share_1" },
  ];
  for (const call of calls) expect((await server.call(call)).status).toBe(401);
});

test("a trace that branches at the end of a long chain is not walked for ever", async () => {
  await using server = await testServer();
  const ana = await server.account();
  const tip = (await longChain(server, ana, 2600)).at(-1);
  for (let branch = 0; branch < 40; branch++)
    await server.commit(ana, { payload: { branch }, parentId: tip, traceId: "trc_1" });
  await server.db.write((tx) =>
    insertShare(tx, {
      id: "share_1",
      account: ana.account,
      madeBy: ana.id,
      shared: { kind: "trace", trace: "trc_1", until: 10_000 },
      label: null,
      createdMs: 0,
      expiresMs: null,
    }),
  );
  for (const path of ["/r/trc_1", "/chain/share_1", "/api/chain/share_1", "/api/og/share_1"]) {
    const { status, json } = await server.call({ path });
    expect([status, json]).toMatchObject([413, { code: "payload_too_large" }]);
  }
  // What cannot be looked at is not shared in the first place.
  const { status, json } = await server.call({ path: "/api/share/trace/trc_1", body: {} }, ana);
  expect([status, json]).toMatchObject([413, { code: "payload_too_large" }]);
  const rows = await server.db.all("SELECT id FROM ledger_shares");
  expect(rows).toEqual([{ id: "share_1" }]);
});
