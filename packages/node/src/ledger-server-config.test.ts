import { DEFAULT_LIMITS } from "@darkmatter/ledger/server";
import { UNLIMITED } from "@darkmatter/surface";
import { expect, test } from "vitest";
import { parseLedgerServerSettings } from "./ledger-server-config.ts";

test("nothing set gives the documented limits, and no admin", () => {
  expect(parseLedgerServerSettings({ DARKMATTER_LEDGER_LIMIT_CALLS: " " })).toEqual({
    limits: DEFAULT_LIMITS,
    adminSecret: undefined,
    adminAgents: [],
    allowedOrigins: [],
    database: undefined,
    logKey: undefined,
    logKeyFile: undefined,
    formerLogKeysFile: undefined,
  });
});

test("each limit has a variable; -1 is none", () => {
  const variables = {
    callsAMinute: "CALLS",
    spawnsADay: "SPAWNS",
    agentsADay: "AGENTS",
    signInsPerAddress: "SIGN_INS",
    failuresPerEmail: "FAILURES",
    provisionsAnHour: "PROVISIONS",
    payloadBytes: "PAYLOAD_BYTES",
    payloadValues: "PAYLOAD_VALUES",
    agentBytesAnHour: "AGENT_BYTES",
    publicCallsAMinute: "PUBLIC_CALLS",
  };
  expect(Object.keys(variables).sort()).toEqual(Object.keys(DEFAULT_LIMITS).sort());
  for (const [name, variable] of Object.entries(variables)) {
    const { limits } = parseLedgerServerSettings({ [`DARKMATTER_LEDGER_LIMIT_${variable}`]: "7" });
    expect(limits).toEqual({ ...DEFAULT_LIMITS, [name]: 7 });
  }
  const { limits } = parseLedgerServerSettings({ DARKMATTER_LEDGER_LIMIT_CALLS: "-1" });
  expect(limits.callsAMinute).toBe(UNLIMITED);
});

test("what cannot be is refused by its name, and never shown", () => {
  const wrong: [string, string][] = [
    ["DARKMATTER_LEDGER_LIMIT_CALLS", "many"],
    ["DARKMATTER_LEDGER_LIMIT_CALLS", "0"],
    ["DARKMATTER_LEDGER_LIMIT_CALLS", "-2"],
    ["DARKMATTER_LEDGER_LIMIT_PAYLOAD_BYTES", "-1"],
    ["DARKMATTER_LEDGER_ADMIN_SECRET", "hunter2"],
    ["DARKMATTER_LEDGER_ADMIN_SECRET", "a secret with spaces, and thirty-two of them"],
    ["DARKMATTER_LEDGER_ADMIN_AGENTS", "root"],
    ["DARKMATTER_LEDGER_ORIGINS", "*"],
    ["DARKMATTER_LEDGER_ORIGINS", "https://app.example.org/"],
    ["DARKMATTER_LEDGER_ORIGINS", "app.example.org"],
    ["DARKMATTER_LEDGER_DATABASE", "mysql://root:hunter2@db"],
  ];
  for (const [name, value] of wrong) {
    const parse = () => parseLedgerServerSettings({ [name]: value });
    expect(parse, value).toThrow(new RegExp(name));
    expect(parse).not.toThrow(/hunter2/);
  }
});

test("an admin's secret, agents and origins are taken as they are", () => {
  const secret = "0123456789abcdef0123456789abcdef";
  expect(
    parseLedgerServerSettings({
      DARKMATTER_LEDGER_ADMIN_SECRET: secret,
      DARKMATTER_LEDGER_ADMIN_AGENTS: "dm_0123456789abcdef, dm_fedcba9876543210",
      DARKMATTER_LEDGER_ORIGINS: "https://app.example.org,http://localhost:3000",
      DARKMATTER_LEDGER_DATABASE: "postgresql://u:p@db:5432/ledger",
    }),
  ).toMatchObject({
    adminSecret: secret,
    adminAgents: ["dm_0123456789abcdef", "dm_fedcba9876543210"],
    allowedOrigins: ["https://app.example.org", "http://localhost:3000"],
    database: "postgresql://u:p@db:5432/ledger",
  });
});
