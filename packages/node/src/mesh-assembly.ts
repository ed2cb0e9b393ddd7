import { createMesh, INSTRUCTIONS, meshMigrations } from "@darkmatter/mesh";
import { createSqlJournal } from "@darkmatter/store";
import type { Assembly } from "./assembly.ts";

/** The node people run. */
export const meshAssembly: Assembly = {
  migrations: meshMigrations,
  create: (ports) => createMesh({ ...ports, journal: createSqlJournal(ports.clock) }),
  preview: {
    tools: [],
    instructions: INSTRUCTIONS,
    // That there are resources is part of what a server says of itself; which ones is asked of an owner.
    resources: [
      {
        uri: "darkmatter://status",
        name: "Live status",
        description: "Connections, inbox and what waits for the agent.",
        mimeType: "text/plain",
        read: async () => "",
      },
    ],
    decorate: async (_session, result) => result,
    onChange: () => ({ [Symbol.dispose]: () => undefined }),
  },
};
