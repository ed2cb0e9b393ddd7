import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunningLedgerServer } from "./adapters/ledger-server.ts";
import { type AtFolder, fakeServer, initialised, realLedgerServer } from "./testing/at-folder.ts";

let server: RunningLedgerServer;
beforeAll(async () => {
  server = await realLedgerServer();
});
afterAll(() => server[Symbol.asyncDispose]());

describe("quickstart", () => {
  const run = (at: AtFolder, file: string, env: Record<string, string>) =>
    new Promise<string>((resolve, reject) => {
      const options = { cwd: at.folder, env: { PATH: process.env.PATH, ...env } };
      execFile(
        process.execPath,
        ["--env-file=.env", "--experimental-strip-types", file],
        options,
        (error, out, err) => (error ? reject(new Error(err)) : resolve(out)),
      );
    });

  test("single runs as written", async () => {
    using at = await initialised(server.url);
    expect((await at.json("quickstart")).said).toMatchObject({
      file: join(at.folder, "darkmatter-single.ts"),
      needs: [],
    });
    expect(await run(at, "darkmatter-single.ts", {})).toMatch(
      /verified: 2 steps, intact\n1 ".*"\n2 ".*"\nas proof/,
    );
    at.write("darkmatter-single.ts", "mine");
    expect((await at.json("quickstart", "single")).code).toBe(1);
    expect(at.read("darkmatter-single.ts")).toBe("mine");
    expect((await at.json("quickstart", "single", "--force")).code).toBe(0);
    expect((await at.json("quickstart", "cobol")).code).toBe(2);
  });

  test.each([
    ["openai", "OPENAI_BASE_URL", { choices: [{ message: { content: "42" } }] }],
    ["anthropic", "ANTHROPIC_BASE_URL", { content: [{ text: "42" }] }],
  ])("%s runs as written, against a model that answers", async (name, variable, answer) => {
    await using model = await fakeServer(200, {}, JSON.stringify(answer));
    using at = await initialised(server.url);
    await at.json("quickstart", name);
    const out = await run(at, `darkmatter-${name}.ts`, {
      [variable]: model.url,
      OPENAI_API_KEY: "x",
      ANTHROPIC_API_KEY: "x",
    });
    expect(out).toMatch(/verified: 2 steps, intact\n1 "42"\n2 "42"/);
    expect(model.asked).toHaveLength(2);
  });

  test("langgraph runs as written, in a graph that calls its nodes in order", async () => {
    using at = await initialised(server.url);
    const place = join(at.folder, "node_modules", "@langchain", "langgraph");
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, "package.json"), '{"type":"module","exports":"./index.js"}');
    writeFileSync(join(place, "index.js"), GRAPH);
    await at.json("quickstart", "langgraph");
    expect(await run(at, "darkmatter-langgraph.ts", {})).toMatch(/verified: 2 steps, intact/);
  });
});

/** As much of the library as the example uses. */
const GRAPH = `
export const START = "s", END = "e";
export const Annotation = Object.assign(() => ({}), { Root: (fields) => ({ fields, State: {} }) });
export class StateGraph {
  nodes = new Map(); next = new Map();
  addNode(name, run) { this.nodes.set(name, run); return this; }
  addEdge(from, to) { this.next.set(from, to); return this; }
  compile() {
    return { invoke: async (state) => {
      for (let at = this.next.get(START); at !== END; at = this.next.get(at)) state = { ...state, ...(await this.nodes.get(at)(state)) };
      return state;
    } };
  }
}
`;
