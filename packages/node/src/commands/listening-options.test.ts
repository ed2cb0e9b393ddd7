import { expect, test } from "vitest";
import { databaseUrl } from "../ledger-server-config.ts";
import { portOf, webUrlOf } from "./listening-options.ts";

test("ports, addresses and databases that are none are mistakes of usage, and are not shown", () => {
  expect([portOf("0"), portOf("65535")]).toEqual([0, 65_535]);
  for (const port of ["x", "70000", "-1", "", undefined, "1e3"]) expect(() => portOf(port)).toThrow(/--port/);
  expect(webUrlOf("https://ledger.example.org/a//", "--base-url")).toBe("https://ledger.example.org/a");
  for (const url of ["ledger.example.org", "ftp://a", "https://me:hunter2@a", "https://a?b", "https://a#b"]) {
    expect(() => webUrlOf(url, "--base-url"), url).toThrow(/--base-url/);
    expect(() => webUrlOf(url, "--base-url"), url).not.toThrow(/hunter2/);
  }
  expect(databaseUrl("postgres://me@db/ledger", "--database")).toBe("postgres://me@db/ledger");
  expect(() => databaseUrl("mysql://hunter2@db", "--database")).not.toThrow(/hunter2/);
});
