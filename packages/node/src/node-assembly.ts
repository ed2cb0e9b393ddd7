import { createLedger, type LedgerPeers, ledgerMigrations } from "@darkmatter/ledger";
import { createMesh, INSTRUCTIONS, type Mesh, meshMigrations } from "@darkmatter/mesh";
import type { Guard } from "@darkmatter/surface";
import type { Assembly, Layer, NodePorts } from "./assembly.ts";

/** The node people run: a mesh whose every act is a commit of its ledger. */
export const nodeAssembly: Assembly = {
  migrations: [...meshMigrations, ...ledgerMigrations],
  create: createLayers,
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

function createLayers({ keepExport, ...ports }: NodePorts): Layer {
  // Each needs the other: the ledger is made first, and asks the mesh only once both are there.
  let mesh: Mesh;
  const peers: LedgerPeers = { witnesses: () => mesh.witnesses(), all: () => mesh.peersAll() };
  const rate: Guard = (request) => mesh.globalRate(request);
  const ledger = createLedger({ ...ports, peers, agentName: () => mesh.name() }, [rate], {
    eraseMessage: async (tx, messageId) => void (await mesh.erase(tx, messageId)),
    keepBundle: keepExport,
  });
  mesh = createMesh({ ...ports, journal: ledger.journal });

  return {
    routes: [...mesh.routes, ...ledger.routes],
    tools: { ...mesh.tools, tools: [...mesh.tools.tools, ...ledger.tools] },
    jobs: [...mesh.jobs, ...ledger.jobs],
    stateFiles: mesh.stateFiles,
    ledger: ledger.read,

    async start() {
      await ledger.start();
      // Acts that cannot be written down are not to be done: what is there can still be read.
      const damage = ledger.damage();
      if (damage) throw damage;
      await mesh.start();
    },

    async stop() {
      await mesh.stop();
      await ledger.stop();
    },
  };
}
