// npm run bench [-- anchor|antimatter|context|heal|ledger|ledger-server|messages|pool|spawn|start|tools|webrtc] [--short]: the figures we publish, each beside what it is compared with.
// The last line is "N passed, N failed".
import { measureAnchor } from "./anchor.ts";
import { measureAntimatter } from "./antimatter.ts";
import { measureContext } from "./context.ts";
import { measureHeal } from "./heal.ts";
import { measureLedger } from "./ledger/ledger.ts";
import { measureLedgerServer } from "./ledger-server/ledger-server.ts";
import { createFigures, type Figures } from "./lib/figures.ts";
import { measureMessages } from "./messages.ts";
import { measurePool } from "./pool.ts";
import { measureSpawn } from "./spawn.ts";
import { measureStart } from "./start.ts";
import { measureTools } from "./tools.ts";
import { measureWebRtc } from "./webrtc.ts";

const PARTS: Readonly<Record<string, (figures: Figures, size: { short: boolean }) => Promise<void>>> = {
  // This process is its client: measured before other parts leave their weight in it.
  pool: measurePool,
  messages: measureMessages,
  start: measureStart,
  tools: measureTools,
  ledger: measureLedger,
  "ledger-server": measureLedgerServer,
  anchor: measureAnchor,
  context: measureContext,
  heal: measureHeal,
  webrtc: measureWebRtc,
  spawn: measureSpawn,
  antimatter: measureAntimatter,
};

const args = process.argv.slice(2);
const short = args.includes("--short");
const named = args.filter((arg) => arg !== "--short");
const unknown = named.filter((name) => !(name in PARTS));
if (unknown.length > 0) {
  console.error(`There is no ${unknown.join(", ")}; there are: ${Object.keys(PARTS).join(", ")}`);
  process.exit(2);
}

const figures = createFigures({ short });
for (const [name, measure] of Object.entries(PARTS)) {
  if (named.length === 0 || named.includes(name)) await measure(figures, { short });
}
process.exit(figures.end());
