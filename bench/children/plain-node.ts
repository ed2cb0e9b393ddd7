// The node with its journal as a plain SQL table, as it was before it kept a ledger: what the ledger is compared with.
import { createMesh, INSTRUCTIONS, meshMigrations } from "@darkmatter/mesh";
import { type Assembly, main } from "@darkmatter/node";
import { createSqlJournal, journalMigrations } from "@darkmatter/store";

const assembly: Assembly = {
  migrations: [...journalMigrations, ...meshMigrations],
  create: (ports) => createMesh({ ...ports, journal: createSqlJournal(ports.clock) }),
  preview: {
    tools: [],
    instructions: INSTRUCTIONS,
    resources: [],
    decorate: async (_session, result) => result,
    onChange: () => ({ [Symbol.dispose]: () => undefined }),
  },
};

await main(process.argv.slice(2), { assembly: async () => assembly });
