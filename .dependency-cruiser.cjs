/** Which rooms each room may import: the arrows of the house, and nothing else. */
const ARROWS = {
  core: [],
  proof: ["core"],
  identity: ["core"],
  store: ["core"],
  net: ["core"],
  surface: ["core", "identity", "store", "net"],
  mesh: ["core", "proof", "identity", "store", "net", "surface"],
  ledger: ["core", "proof", "identity", "store", "net", "surface"],
  collective: ["core", "proof", "identity", "store", "net", "surface"],
  overlay: ["core", "identity", "store", "net"],
  swarm: ["overlay", "surface"],
  sdk: ["core", "proof"],
  web: ["core", "proof", "sdk"],
  node: [".*"],
};

/** Rooms that may read another's schemas, by its `./nouns` alone. */
const NOUNS = { web: ["mesh", "ledger", "collective"] };

const TESTS = "\\.test\\.ts$|/testing(\\.ts$|/)";

const arrows = Object.entries(ARROWS).map(([room, allowed]) => ({
  name: `arrow-${room}`,
  comment: `${room} may import only: ${allowed.join(", ") || "no other room"}.`,
  severity: "error",
  from: { path: `^packages/${room}/` },
  to: {
    path: "^packages/",
    pathNot: [
      ...[room, ...allowed].map((name) => `^packages/${name}/`),
      ...(NOUNS[room] ?? []).map((name) => `^packages/${name}/src/nouns\\.ts$`),
    ],
  },
}));

/** A library that only one place may import. */
function only(name, library, place, comment) {
  return {
    name,
    comment,
    severity: "error",
    from: { path: "^packages/", pathNot: place },
    to: { path: library },
  };
}

module.exports = {
  forbidden: [
    ...arrows,
    {
      name: "known-rooms",
      comment: "A new room needs its arrow in .dependency-cruiser.cjs.",
      severity: "error",
      from: { path: "^packages/", pathNot: `^packages/(${Object.keys(ARROWS).join("|")})/` },
      to: {},
    },
    {
      name: "front-door",
      comment: "Other packages are imported by the entries of their exports: index, nouns, server, testing.",
      severity: "error",
      from: { path: "^packages/([^/]+)/" },
      to: {
        path: "^packages/",
        pathNot: ["^packages/$1/", "^packages/[^/]+/src/(index|nouns|server|testing)\\.ts$"],
      },
    },
    {
      name: "front-door-from-outside",
      comment: "Scripts and runners import packages by the entries of their exports too.",
      severity: "error",
      from: { pathNot: "^packages/" },
      to: { path: "^packages/", pathNot: "^packages/[^/]+/src/(index|nouns|server|testing)\\.ts$" },
    },
    {
      name: "by-name",
      comment: "Another package is imported by its name, not by a path into its folder.",
      severity: "error",
      from: { path: "^packages/([^/]+)/" },
      to: { path: "^packages/", pathNot: "^packages/$1/", dependencyTypes: ["local"] },
    },
    {
      name: "testing-is-for-tests",
      comment: "Fakes and port suites are not for production code.",
      severity: "error",
      from: { path: "^packages/", pathNot: TESTS },
      to: { path: "^packages/([^/]+)/src/testing(\\.ts$|/)|\\.test\\.ts$|node_modules/(vitest|fast-check)/" },
    },
    only(
      "sql-drivers",
      "^(node:)?sqlite$|node_modules/(@types/)?pg/|node_modules/@electric-sql/",
      // The owner's lock is a SQLite lock without SQL, so it is no business of the Database port.
      ["^packages/(store|node)/src/.*adapters/", TESTS],
      "SQL drivers stay in store's adapters.",
    ),
    only("fastify", "node_modules/(@fastify/|fastify/)", "^packages/surface/", "Fastify stays in surface."),
    only("undici", "node_modules/undici/", "^packages/net/", "undici stays in net."),
    {
      name: "core-runs-in-a-browser",
      comment: "core and proof use nothing of Node outside their adapters and tests.",
      severity: "error",
      from: { path: "^packages/(core|proof)/", pathNot: `/adapters/|${TESTS}` },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "no-cycles",
      comment: "Two modules that import each other are one module, or hide a third.",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "resolvable",
      comment: "An import that leads nowhere.",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default", "types"],
    },
  },
};
