import { hasCode } from "@darkmatter/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { parseConfig } from "./config.ts";

test("nothing set gives the documented defaults", () => {
  expect(parseConfig({})).toMatchObject({
    displayName: undefined,
    host: "127.0.0.1",
    port: 8100,
    discovery: true,
    maxConnections: 50,
    inboxMax: 50,
    rateGlobal: 200,
    ratePerConnection: 30,
    routerMode: undefined,
    requestExpiryMs: 3_600_000,
    warnings: [],
  });
  expect(parseConfig({}).discoveryPorts).toHaveLength(101);
});

test("a ledger's agent id is never a name, and a ledger's address never a bind address", () => {
  const config = parseConfig({
    DARKMATTER_AGENT_ID: "dm_0123456789abcdef",
    DARKMATTER_HOST: "https://ledger.example",
  });
  expect(config).toMatchObject({ displayName: undefined, host: "127.0.0.1" });
  expect(parseConfig({ DARKMATTER_AGENT_ID: "ana", DARKMATTER_HOST: "0.0.0.0" })).toMatchObject({
    displayName: "ana",
    host: "0.0.0.0",
  });
});

test("an API key goes to https and to this machine, and to nowhere else", () => {
  const apiKey = `dm_sk_${"0a".repeat(24)}`;
  const mirror = (url: string, key: string | undefined = apiKey) =>
    parseConfig({ DARKMATTER_LEDGER_URL: url, DARKMATTER_API_KEY: key });

  for (const url of [
    "https://ledger.example",
    "http://127.0.0.1:5002",
    "http://localhost:1",
    "http://[::1]:1",
  ])
    expect(mirror(`${url}/`).mirror).toEqual({ url, apiKey });
  for (const url of [
    "http://ledger.example",
    "http://10.0.0.1",
    "http://127.0.0.1.example.org",
    "http://localhost.example.org",
    "https://name:word@ledger.example",
    "ftp://127.0.0.1",
  ])
    expect(() => mirror(url)).toThrow(/DARKMATTER_LEDGER_URL/);
});

test("an API key that is none is refused without being shown; without one nothing is mirrored", () => {
  const env = { DARKMATTER_LEDGER_URL: "https://ledger.example" };
  const wrong = () => parseConfig({ ...env, DARKMATTER_API_KEY: "dm_sk_secret\nx: y" });
  expect(wrong).toThrow(/DARKMATTER_API_KEY/);
  expect(wrong).not.toThrow(/secret/);
  const { mirror, warnings } = parseConfig(env);
  expect(mirror).toBeUndefined();
  expect(warnings).toHaveLength(1);
  // Somebody else's variable of that name is none of the node's business.
  expect(parseConfig({ DARKMATTER_API_KEY: "other" })).toMatchObject({ mirror: undefined, warnings: [] });
});

test("a value that cannot be is refused with the variable's name and what it may be", () => {
  const refused = (env: Record<string, string>) => {
    try {
      return parseConfig(env);
    } catch (error) {
      return hasCode(error, "CONFIG_INVALID") ? error.message : error;
    }
  };
  expect(refused({ DARKMATTER_PORT: "70000" })).toMatch(/DARKMATTER_PORT must be 0 to 65535/);
  expect(refused({ DARKMATTER_PORT: "80x" })).toMatch(/DARKMATTER_PORT must be a whole number/);
  expect(refused({ DARKMATTER_DISCOVERY: "perhaps" })).toMatch(/DARKMATTER_DISCOVERY must be true or false/);
  expect(refused({ DARKMATTER_DISCOVERY_PORTS: "9-1" })).toMatch(/DARKMATTER_DISCOVERY_PORTS must be ports/);
  expect(refused({ DARKMATTER_PUBLIC_URL: "ftp://x" })).toMatch(/DARKMATTER_PUBLIC_URL must be an http/);
  for (const name of ["DARKMATTER_PUBLIC_URL", "DARKMATTER_ANCHOR_NODES", "DARKMATTER_IP_SERVICE"]) {
    const reason = refused({ [name]: "https://me:hunter2@anchor.example" });
    expect(reason).toMatch(new RegExp(`${name} must be .* without user name or password`));
    expect(reason).not.toContain("hunter2");
  }
  expect(refused({ DARKMATTER_TRANSPORT: "udp" })).toMatch(
    /DARKMATTER_TRANSPORT must be auto, stdio or http/,
  );
});

test("limits: 0 is the default, -1 is unlimited", () => {
  expect(parseConfig({ DARKMATTER_RATE_GLOBAL: "0", DARKMATTER_RATE_PER_CONNECTION: "-1" })).toMatchObject({
    rateGlobal: 200,
    ratePerConnection: -1,
  });
});

test("an unknown client or router mode warns and means the default", () => {
  const config = parseConfig({ DARKMATTER_CLIENT: "telegraph", DARKMATTER_ROUTER_MODE: "x" });
  expect(config).toMatchObject({ client: "claude-code", routerMode: "spawn" });
  expect(config.warnings).toHaveLength(2);
});

test("whatever the environment holds, the answer is a configuration or CONFIG_INVALID", () => {
  const names = [
    "PORT",
    "DISCOVERY_PORTS",
    "PUBLIC_URL",
    "RATE_GLOBAL",
    "HOST",
    "DISCOVERY",
    "REQUEST_EXPIRY",
  ];
  const env = fc.dictionary(fc.constantFrom(...names.map((name) => `DARKMATTER_${name}`)), fc.string());
  fc.assert(
    fc.property(env, (given) => {
      try {
        const { port, discoveryPorts } = parseConfig(given);
        return port >= 0 && port <= 65_535 && discoveryPorts.every((one) => one >= 1 && one <= 65_535);
      } catch (error) {
        return hasCode(error, "CONFIG_INVALID");
      }
    }),
  );
});

test("limits of payments are amounts and tokens; what is none is a mistake that is named", () => {
  expect(parseConfig({}).paymentMax).toBeUndefined();
  expect(parseConfig({ DARKMATTER_PAYMENT_MAX: " 0.5 sol,20 USDC" }).paymentMax).toEqual({
    SOL: "0.5",
    USDC: "20",
  });
  for (const wrong of ["1", "SOL", "1 SOL 2", "-1 SOL", "1e3 SOL", "1 SOL,"]) {
    expect(() => parseConfig({ DARKMATTER_PAYMENT_MAX: wrong })).toThrow(/DARKMATTER_PAYMENT_MAX/);
  }
});
