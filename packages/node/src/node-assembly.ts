import { createLedger, type LedgerPeers, type LedgerReader, ledgerMigrations } from "@darkmatter/ledger";
import { createMesh, INSTRUCTIONS, type Mesh, meshMigrations } from "@darkmatter/mesh";
import type { Migration, Read } from "@darkmatter/store";
import type { Guard, Tool } from "@darkmatter/surface";
import type { Assembly, Layer, NodePorts } from "./assembly.ts";
import { callsOver } from "./ledger-calls.ts";

/**
 * What earlier versions made and this one does not. Known, so that their databases are not taken for a newer version's;
 * the table of their plain journal stays where it is.
 */
const RETIRED: readonly Migration[] = [{ name: "store/001-journal", sql: [] }];

/** The node people run: a mesh whose every act is a commit of its ledger. */
export const nodeAssembly: Assembly = {
  migrations: [...RETIRED, ...meshMigrations, ...ledgerMigrations],
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

function createLayers({ bundleFiles, mirror, ...ports }: NodePorts): Layer {
  // Each needs the other: the ledger is made first, and asks the mesh only once both are there.
  let mesh: Mesh;
  const peers: LedgerPeers = {
    call: callsOver(() => mesh),
    witnesses: () => mesh.witnesses(),
    all: () => mesh.peersAll(),
  };
  const rate: Guard = (request) => mesh.globalRate(request);
  const ledger = createLedger({ ...ports, mirror, peers, agentName: () => mesh.name() }, [rate], {
    eraseMessage: async (tx, messageId) => void (await mesh.erase(tx, messageId)),
    files: bundleFiles,
  });
  mesh = createMesh({ ...ports, journal: ledger.journal });

  return {
    routes: [...mesh.routes, ...ledger.routes],
    tools: {
      ...mesh.tools,
      tools: [
        ...mesh.tools.tools.map((tool) => tellingOfLedgers(tool, ports.db, ledger.read)),
        ...ledger.tools,
      ],
    },
    jobs: [...mesh.jobs, ...ledger.jobs],
    stateFiles: mesh.stateFiles,
    delegates: mesh.delegates,
    isHelper: mesh.isHelper,
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

/** An agent that looks at its status is told which agents showed two histories, and whether its own state is older. */
function tellingOfLedgers(tool: Tool, db: Read, ledger: LedgerReader): Tool {
  if (tool.name !== "darkmatter_status") return tool;
  return {
    ...tool,
    async handle(input, call) {
      const result = await tool.handle(input, call);
      const { evidence, newer } = await ledger.state(db);
      if (!("text" in result)) return result;
      const older = newer ? [`ACTION: ${OLDER}`] : [];
      const split = evidence.map(({ agentId }) => `ACTION: Agent ${agentId} ${SPLIT}`);
      return { text: [String(result.text), ...older, ...split.slice(0, EVIDENCE_SHOWN_MAX)].join("\n") };
    },
  };
}

const OLDER =
  "Your state is older than what your ledger has shown to others, so nothing more is signed over it. Tell your owner: " +
  "`darkmatter status` says what to do.";
const SPLIT =
  "signed two logs that cannot both be true: believe nothing it exports, and consider blocking it.";
const EVIDENCE_SHOWN_MAX = 5;
