import { once } from "@darkmatter/store";
import { tool } from "@darkmatter/surface";
import { z } from "zod";
import type { Assembly, Layer, NodePorts } from "../assembly.ts";

const annotations = {
  readOnlyHint: false,
  destructiveHint: false,
  idempotentHint: false,
  openWorldHint: false,
};
const surroundings = {
  instructions: "A stand-in for the mesh.",
  resources: [],
  decorate: async (_session: string, result: object) => ({ ...result }),
  onChange: () => ({ [Symbol.dispose]: () => undefined }),
};

/** Just enough of a layer to see who owns the state and what became of it: notes on disk, and a slow tool. */
export const fakeAssembly: Assembly = {
  migrations: [
    { name: "fake/001-notes", sql: ["CREATE TABLE notes (number INTEGER PRIMARY KEY, text TEXT NOT NULL)"] },
  ],
  create: fakeLayer,
  preview: { tools: [], ...surroundings },
};

function fakeLayer({ db, signer }: NodePorts): Layer {
  const tools = [
    tool({
      name: "note",
      title: "Note",
      description: "Writes a note, after a while if asked.",
      input: z.object({ text: z.string(), delay_ms: z.number().default(0) }),
      annotations,
      visible: () => true,
      async handle({ text, delay_ms }, call) {
        const result = await db.write((tx) =>
          once(tx, call.callId, async () => {
            await tx.run("INSERT INTO notes (text) VALUES (?)", text);
            return { pid: process.pid, text };
          }),
        );
        await call.progress(1, 2, "written");
        await new Promise((resolve) => setTimeout(resolve, delay_ms));
        return { ...result, answered_by: process.pid };
      },
    }),
    tool({
      name: "notes",
      title: "Notes",
      description: "What was noted.",
      input: z.object({}),
      annotations: { ...annotations, readOnlyHint: true },
      visible: () => true,
      async handle() {
        const rows = await db.all<{ text: string }>("SELECT text FROM notes ORDER BY number");
        return { agent_id: signer.agentId, pid: process.pid, notes: rows.map((row) => row.text) };
      },
    }),
  ];
  const stateFiles = {
    wasRead: async () => true,
    load: async () => undefined,
    skip: async () => undefined,
    write: async () => JSON.stringify({ agent_id: signer.agentId }),
  };
  const nothing = async () => undefined;
  return {
    routes: [],
    jobs: [],
    stateFiles,
    tools: { tools, ...surroundings },
    start: nothing,
    stop: nothing,
  };
}
