import { describe, expect, test } from "vitest";
import { appendedTo, DOT_ENV, ignoring, PRIVATE_KEYS, readDotEnv, replacedIn } from "./dot-env.ts";
import { maskedKey, type SettingSources, serverSettings } from "./settings.ts";

const A = "https://a.example";
const B = "https://b.example";
const KEY = `dm_sk_${"1".repeat(48)}`;
const OTHER = `dm_sk_${"2".repeat(48)}`;

const from = (sources: Partial<SettingSources>) =>
  serverSettings({ host: undefined, isInsecure: false, dotEnv: "", env: {}, ...sources });
const fileOf = (settings: Record<string, string>) => appendedTo("", settings);

describe("which server", () => {
  test("--host, then .env, then the environment; a node's bind address is none", () => {
    const dotEnv = fileOf({ DARKMATTER_HOST: B });
    const env = { DARKMATTER_HOST: "https://c.example" };
    expect(from({ host: `${A}/`, dotEnv, env }).host).toBe(A);
    expect(from({ dotEnv, env }).host).toBe(B);
    expect(from({ env }).host).toBe("https://c.example");
    expect(from({ env: { DARKMATTER_HOST: `${A}/ledger/` } }).host).toBe(`${A}/ledger`);
    expect(() => from({ env: { DARKMATTER_HOST: "0.0.0.0" } })).toThrow("No ledger server is named");
    const mirror = { DARKMATTER_LEDGER_URL: A, DARKMATTER_API_KEY: KEY };
    expect(from({ env: { ...mirror, DARKMATTER_HOST: "0.0.0.0" } })).toMatchObject({ host: A, apiKey: KEY });
    expect(from({ env: { ...mirror, DARKMATTER_HOST: B } }).host).toBe(B);
    expect(() => from({ dotEnv: fileOf(mirror) })).toThrow("No ledger server");
    expect(() => from({ dotEnv: fileOf({ DARKMATTER_HOST: "192.168.1.2" }) })).toThrow("No ledger server");
  });

  test.each(["http://a.example", "http://192.168.1.4:5002", "http://localhost.a.example"])(
    "plain HTTP to another machine is refused: %s",
    (host) => {
      expect(() => from({ host })).toThrow("plain HTTP");
      expect(from({ host, isInsecure: true }).host).toBe(host);
    },
  );

  test.each(["http://127.0.0.1:5002", "http://localhost:5002", "http://[::1]:5002", A])(
    "%s is taken",
    (host) => expect(from({ host }).host).toBe(host),
  );

  test.each(["ftp://a.example", "https://u:p@a.example", "https://a.example/?q", "nonsense"])(
    "%s is none",
    (host) => expect(() => from({ host })).toThrow("must be an http(s) URL"),
  );
});

describe("a key goes only to the server it stands beside", () => {
  test("pairs of one place", () => {
    const pair = fileOf({
      DARKMATTER_HOST: A,
      DARKMATTER_API_KEY: KEY,
      DARKMATTER_AGENT_ID: "dm_00000000000000aa",
    });
    const env = { DARKMATTER_HOST: B, DARKMATTER_API_KEY: OTHER };
    expect(from({ dotEnv: pair, env })).toEqual({ host: A, apiKey: KEY, agentId: "dm_00000000000000aa" });
    expect(from({ env })).toMatchObject({ host: B, apiKey: OTHER });
    expect(from({ dotEnv: pair, env, host: B })).toMatchObject({
      host: B,
      apiKey: OTHER,
      agentId: undefined,
    });
  });

  test("a folder's .env draws no key of the environment to a server of its choice", () => {
    const dotEnv = fileOf({ DARKMATTER_HOST: "https://evil.example" });
    expect(() => from({ dotEnv, env: { DARKMATTER_API_KEY: KEY, DARKMATTER_HOST: A } })).toThrow(
      "is for https://a.example",
    );
    expect(() => from({ dotEnv, env: { DARKMATTER_API_KEY: KEY } })).toThrow("stands beside no server");
  });

  test("--host draws no key of another server", () => {
    const dotEnv = fileOf({ DARKMATTER_HOST: A, DARKMATTER_API_KEY: KEY });
    expect(() => from({ dotEnv, host: B })).toThrow("is not sent to https://b.example");
    expect(() => from({ dotEnv, host: "https://a.example:444" })).toThrow("is not sent");
    expect(() => from({ dotEnv, host: "http://a.example", isInsecure: true })).toThrow("is not sent");
    expect(from({ dotEnv, host: `${A}/below` }).apiKey).toBe(KEY);
  });

  test("a key that stands alone goes where --host says, or where the environment is", () => {
    expect(from({ dotEnv: fileOf({ DARKMATTER_API_KEY: KEY }), host: B }).apiKey).toBe(KEY);
    expect(from({ dotEnv: fileOf({ DARKMATTER_API_KEY: KEY }), env: { DARKMATTER_HOST: A } }).apiKey).toBe(
      KEY,
    );
    expect(from({ env: { DARKMATTER_API_KEY: KEY }, host: B }).apiKey).toBe(KEY);
    expect(from({ host: B }).apiKey).toBeUndefined();
  });

  test("little of a key is shown", () => {
    expect(maskedKey(KEY)).toBe("dm_sk_1111••••••••1111");
    expect(maskedKey("short")).not.toContain("short");
  });
});

describe(".env", () => {
  test("is read as people write it; the last of a name counts", () => {
    const text = `# keys\nexport A=1\nB = "two words" # said\nC='x#y'\r\nD=plain # note\nA=3\nnonsense\n=x\n`;
    expect(Object.fromEntries(readDotEnv(text))).toEqual({ A: "3", B: "two words", C: "x#y", D: "plain" });
  });

  test("what is appended counts, what is replaced is gone, all else stays", () => {
    const text = "A=1\n# mine\nK=old\nB=2\nK=older";
    expect(appendedTo(text, { K: "new" })).toBe(`${text}\nK=new\n`);
    expect(replacedIn(text, { K: "new", L: "more" })).toBe("A=1\n# mine\nK=new\nB=2\nL=more\n");
    for (const written of [appendedTo(text, { K: "new" }), replacedIn(text, { K: "new" })])
      expect(readDotEnv(written).get("K")).toBe("new");
  });

  test("git is told once to leave it out", () => {
    expect(ignoring("", DOT_ENV)).toBe(".env\n");
    expect(ignoring("dist", DOT_ENV)).toBe("dist\n.env\n");
    expect(ignoring("dist\n.env.local\n", DOT_ENV)).toBe("dist\n.env.local\n.env\n");
    for (const text of [".env\n", "a\n/.env", "*.env\r\n", ".env*"])
      expect(ignoring(text, DOT_ENV)).toBeUndefined();
    expect(ignoring("*.env\n", PRIVATE_KEYS)).toBe("*.env\n*.private.pem\n");
    expect(ignoring("*.pem", PRIVATE_KEYS)).toBeUndefined();
  });
});
