import { reasonOf, systemClock } from "@darkmatter/core";
import { readOwnerCard } from "../../adapters/owner-card.ts";
import type { Agent, OwningOptions } from "../../adapters/owning.ts";
import { homeFolder } from "../../adapters/passport-peek.ts";
import { type Config, parseConfig } from "../../config.ts";
import { VERSION } from "../../version.ts";
import { type Finding, fail, ok, warn } from "../finding.ts";
import { askOwner, askState } from "./ask-node.ts";
import { checkClients } from "./check-clients.ts";
import { checkDatabase } from "./check-database.ts";
import { checkHelpers } from "./check-helpers.ts";
import { checkHome } from "./check-home.ts";
import { checkKey } from "./check-key.ts";
import { checkOwner } from "./check-owner.ts";
import { checkPort } from "./check-port.ts";
import { checkServers } from "./check-server.ts";
import { type Typing, typing } from "./patient.ts";

const NODE_MAJOR_MIN = 24;
/** What looks at this machine, and then what asks others: together below 20 s. */
const NEAR_MS = 6_000;
const FAR_MS = 12_000;

const ORDER = [
  ...[
    "program",
    "settings",
    "key",
    "home",
    "database",
    "lock",
    "owner",
    "port",
    "client",
    "helpers",
    "node",
    "discovery",
  ],
  ...["address", "anchor", "peer", "clock", "queue", "ledger", "mirror", "server"],
];

/** Looks at everything and changes nothing. `looking` is told what is being looked at. */
export async function examine(
  options: OwningOptions,
  looking: (check: string) => void,
): Promise<readonly Finding[]> {
  const typed = typing(options);
  const version = options.version ?? VERSION;
  const within = (check: string, ms: number, act: () => Promise<readonly Finding[]> | readonly Finding[]) =>
    limited(check, ms, act, looking, typed);
  const { config, findings: settings } = settingsFindings();
  const clients = within("client", FAR_MS, () => checkClients(typed));
  const home = within("home", NEAR_MS, () => checkHome(homeFolder(options, process.env)));
  const helpers = config ? within("helpers", NEAR_MS, () => checkHelpers(config, typed)) : [];
  const servers = within("server", FAR_MS, () => checkServers(config, FAR_MS));
  const { findings: key, agent } = await checkKey(options, typed);
  const rest = agent ? await agentFindings(options, agent, config, version, typed, within) : [];
  const all = [
    programFinding(version),
    ...settings,
    ...key,
    ...(await home),
    ...(await clients),
    ...(await helpers),
    ...(await servers),
    ...rest,
  ];
  return all.toSorted((a, b) => ORDER.indexOf(a.check) - ORDER.indexOf(b.check));
}

type Within = (
  check: string,
  ms: number,
  act: () => Promise<readonly Finding[]> | readonly Finding[],
) => Promise<readonly Finding[]>;

async function agentFindings(
  options: OwningOptions,
  agent: Agent,
  config: Config | undefined,
  version: string,
  typed: Typing,
  within: Within,
): Promise<Finding[]> {
  const checked: { readable?: boolean; owner?: Awaited<ReturnType<typeof checkOwner>> } = {};
  const near = await Promise.all([
    within("database", NEAR_MS, async () => {
      const { findings, readable } = await checkDatabase(options, agent, typed);
      checked.readable = readable;
      return findings;
    }),
    within("owner", NEAR_MS, async () => {
      checked.owner = await checkOwner(agent, version, typed);
      return checked.owner.findings;
    }),
  ]);
  const { owner, nobody = false } = checked.owner ?? {};
  const last = readOwnerCard(agent.places.ownerCard);
  const isReadable = checked.readable === true && last !== undefined && config !== undefined;
  const far = await Promise.all([
    config && (owner || nobody)
      ? within("port", NEAR_MS, () => checkPort(config, agent.signer.agentId, owner, last, typed))
      : [],
    owner ? within("node", FAR_MS, () => askOwner(agent, version, typed)) : [],
    isReadable ? within("ledger", FAR_MS, () => askState(options, agent, nobody, typed)) : [],
  ]);
  return [...near, ...far].flat();
}

function programFinding(version: string): Finding {
  const what = `version ${version}, Node ${process.versions.node}`;
  const major = Number(process.versions.node.split(".", 1)[0]);
  return major >= NODE_MAJOR_MIN
    ? ok("program", what)
    : fail(
        "program",
        `${what}: Node ${NODE_MAJOR_MIN} is needed`,
        `Install Node ${NODE_MAJOR_MIN} or newer.`,
      );
}

function settingsFindings(): { readonly config?: Config; readonly findings: readonly Finding[] } {
  try {
    const config = parseConfig(process.env);
    const unsure = config.warnings.map((text) => warn("settings", text, "Correct it or remove it."));
    return {
      config,
      findings: unsure.length > 0 ? unsure : [ok("settings", "the environment's are understood")],
    };
  } catch (error) {
    const names = reasonOf(error).match(/DARKMATTER_[A-Z_]+/g) ?? [];
    return { findings: [fail("settings", reasonOf(error), `unset ${[...new Set(names)].join(" ")}`)] };
  }
}

async function limited(
  check: string,
  ms: number,
  act: () => Promise<readonly Finding[]> | readonly Finding[],
  looking: (check: string) => void,
  { command }: Typing,
): Promise<readonly Finding[]> {
  looking(check);
  const late = new AbortController();
  const tooLong = systemClock
    .sleep(ms, late.signal)
    .then((): readonly Finding[] => [warn(check, `not looked at within ${ms / 1000} s`, command("doctor"))]);
  try {
    return await Promise.race([(async () => act())(), tooLong]);
  } catch (error) {
    return [fail(check, reasonOf(error), command("status"))];
  } finally {
    tooLong.catch(() => undefined);
    late.abort();
  }
}
