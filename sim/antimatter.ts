import { DAY_MS, isoTime, type JsonObject, type Random } from "@darkmatter/core";
import { seededRandom, virtualClock } from "@darkmatter/core/testing";
import {
  type Candidate,
  chooseVeteran,
  commitmentOf,
  createSessions,
  drawFraction,
  nextStep,
  playGame,
  SIGNAL_HOPS_MAX,
} from "@darkmatter/mesh/testing";

// Who wins fees: the node's own game, choice of veterans and routing, with nothing between them but function calls.

const SEED = 13;
/** Standard errors around what is expected: 99.9 % of all samples lie within. */
const WITHIN = 3.29;
/** How many games are played for each number of peers. */
const GAMES: ReadonlyArray<readonly [peers: number, games: number]> = [
  [1, 20_000],
  [5, 10_000],
  [50, 2_000],
  [500, 400],
];
/** Peers of each holder where some collude, and fees that are sent on their way for each line. */
const NEIGHBOURS = 20;
const FEES = 1_500;
const SHARES = [0.1, 0.25, 0.5];
const SHORT = 10;

const NOW_MS = Date.parse("2026-03-05T12:00:00Z");
const WALLET = "AtFV6EW8WTYbwYzemJW32SzA2dnSZYoszHkVutbSaqMg";
const NONCE = "5a".repeat(32);
const YEAR_DAYS = 365;
const AGE_CLAIMED_MAX_YEARS = 5;

/** What colluding peers do. As players: how they pick; as holders: whether they say it was a match, for one of them. */
interface Plot {
  readonly name: string;
  readonly plays: "honestly" | "the same" | "apart" | "never";
  readonly claims: boolean;
  /** Years they say they are old; everybody else is one. */
  readonly years: number;
}

const PLOTS: readonly Plot[] = [
  { name: "play by the rules", plays: "honestly", claims: false, years: 1 },
  { name: "all pick the same number", plays: "the same", claims: false, years: 1 },
  { name: "each pick another number", plays: "apart", claims: false, years: 1 },
  { name: "refuse to play", plays: "never", claims: false, years: 1 },
  { name: "claim a match when they hold the signal", plays: "honestly", claims: true, years: 1 },
  { name: "refuse to play and claim a match", plays: "never", claims: true, years: 1 },
  {
    name: "say they are the oldest that counts",
    plays: "honestly",
    claims: false,
    years: AGE_CLAIMED_MAX_YEARS,
  },
];

export interface Counted {
  readonly passed: number;
  readonly failed: number;
}

/** Prints both tables; each line that lies outside its interval is a failure. */
export async function simulateFees(short: boolean): Promise<Counted> {
  const counted = { passed: 0, failed: 0 };
  const note = (fits: boolean) => {
    counted[fits ? "passed" : "failed"]++;
    return fits ? "yes" : "NO";
  };
  const scale = short ? SHORT : 1;

  console.log("| Peers | Games | Match chance | Expected | Mean chain | Expected | Within 99.9 % |");
  console.log("|---|---|---|---|---|---|---|");
  for (const [peers, games] of GAMES) {
    const { chance, chain } = await honestGames(peers, games / scale);
    const [one, other] = [fits(chance), fits(chain)];
    const cells = [
      peers,
      games / scale,
      shown(chance.mean),
      shown(chance.expected),
      shown(chain.mean),
      shown(chain.expected),
    ];
    console.log(`| ${cells.join(" | ")} | ${note(one && other)} |`);
  }

  console.log("\n| Colluding peers | of all | Fees sent | Won by them | Expected | Within 99.9 % |");
  console.log("|---|---|---|---|---|---|");
  for (const plot of PLOTS) {
    for (const share of SHARES) {
      const won = await plottedFees(plot, share, FEES / scale);
      const cells = [plot.name, percent(share), FEES / scale, percent(won.mean), percent(won.expected)];
      console.log(`| ${cells.join(" | ")} | ${note(fits(won))} |`);
    }
  }
  return counted;
}

interface Measured {
  readonly mean: number;
  readonly expected: number;
  /** The standard error to be expected. */
  readonly error: number;
}

const fits = ({ mean, expected, error }: Measured) => Math.abs(mean - expected) <= WITHIN * error;
const shown = (value: number) => value.toFixed(3);
const percent = (value: number) => `${(value * 100).toFixed(1)} %`;

/** A node with its own side of games. */
interface Peer extends Candidate {
  readonly colludes: boolean;
  play(body: JsonObject): JsonObject | undefined;
}

const clock = virtualClock({ startMs: NOW_MS });

/** New peers, all older than any holder, all trusted alike. */
function peers(count: number, colluding: number, plot: Plot, random: Random): Peer[] {
  return Array.from({ length: count }, (_, at) => {
    const colludes = at < colluding;
    const years = colludes ? plot.years : 1;
    return {
      agentId: `${at} ${random.integer(2 ** 48)}`,
      createdAt: isoTime(NOW_MS - years * YEAR_DAYS * DAY_MS),
      score: 0.5,
      wallet: WALLET,
      colludes,
      play: colludes ? player(plot, at, random) : player(HONEST, at, random),
    };
  });
}

const HONEST: Plot = { name: "", plays: "honestly", claims: false, years: 1 };

function player({ plays }: Plot, at: number, random: Random): Peer["play"] {
  if (plays === "never") return () => undefined;
  const pick = plays === "the same" ? 0 : at;
  if (plays === "honestly") {
    const sessions = createSessions({ clock, random });
    return (body) => sessions.answer(body, "holder");
  }
  return ({ phase }): JsonObject =>
    phase === "commit"
      ? { peer_commitment: commitmentOf(pick, NONCE) ?? "", session_token: "t" }
      : { peer_pick: pick, peer_nonce: NONCE };
}

/** One holder's game, and what it does then, as a node does it. */
async function hold(hops: number, around: readonly Peer[], random: Random) {
  const { outcome } = await playGame("am-1", around, async (peer, body) => peer.play(body), random);
  const veteran = () =>
    chooseVeteran(around, {
      selfCreatedAt: isoTime(NOW_MS),
      nowMs: NOW_MS,
      excluded: new Set(),
      draw: drawFraction(random),
    });
  return { outcome, step: nextStep(outcome, hops, SIGNAL_HOPS_MAX, veteran) };
}

/** As many games as asked for, in chains: how often they match, and how many it takes until a signal has ended. */
async function honestGames(count: number, games: number): Promise<{ chance: Measured; chain: Measured }> {
  const random = seededRandom(SEED + count);
  const chains: number[] = [];
  let matches = 0;
  let hops = 0;
  for (let game = 0; game < games; game++) {
    const { outcome, step } = await hold(hops, peers(count, 0, HONEST, random), random);
    if (outcome === "match") matches++;
    if (step.kind === "hand") hops++;
    else {
      chains.push(hops + 1);
      hops = 0;
    }
  }
  const miss = (count / (count + 1)) ** count;
  const lengths = Array.from({ length: SIGNAL_HOPS_MAX }, (_, at) => at + 1);
  // The last holder ends it whatever comes out.
  const chanceOf = (length: number) =>
    length < SIGNAL_HOPS_MAX ? miss ** (length - 1) * (1 - miss) : miss ** (length - 1);
  const expected = lengths.reduce((sum, length) => sum + length * chanceOf(length), 0);
  const variance = lengths.reduce((sum, length) => sum + (length - expected) ** 2 * chanceOf(length), 0);
  const mean = chains.reduce((sum, length) => sum + length, 0) / chains.length;
  return {
    chance: {
      mean: matches / games,
      expected: 1 - miss,
      error: Math.sqrt((miss * (1 - miss)) / games),
    },
    chain: { mean, expected, error: Math.sqrt(variance / chains.length) },
  };
}

/** What colluding peers win of the fees of honest originators, where so many of every holder's peers are theirs. */
async function plottedFees(plot: Plot, share: number, fees: number): Promise<Measured> {
  const random = seededRandom(SEED + Math.round(share * 1000) + PLOTS.indexOf(plot) * 7919);
  const colluding = Math.round(NEIGHBOURS * share);
  let won = 0;
  for (let fee = 0; fee < fees; fee++) if (await isWon(plot, colluding, random)) won++;
  const expected = expectedShare(plot, colluding);
  return { mean: won / fees, expected, error: Math.sqrt((expected * (1 - expected)) / fees) };
}

async function isWon(plot: Plot, colluding: number, random: Random): Promise<boolean> {
  let holder: Peer | undefined;
  for (let hops = 0; hops < SIGNAL_HOPS_MAX; hops++) {
    if (holder?.colludes && plot.claims) return true;
    const { step } = await hold(hops, peers(NEIGHBOURS, colluding, plot, random), random);
    if (step.kind === "resolve") return step.winner?.colludes ?? false;
    holder = step.to;
  }
  return false;
}

/** The same by formula. */
function expectedShare({ plays, claims, years }: Plot, colluding: number): number {
  const n = NEIGHBOURS;
  const honest = n - colluding;
  const alone = (n / (n + 1)) ** honest;
  const missOf: Record<Plot["plays"], number> = {
    honestly: (n / (n + 1)) ** n,
    "the same": alone * (n / (n + 1)),
    apart: alone * (1 - colluding / (n + 1)),
    never: alone,
  };
  const miss = missOf[plays];
  const weight = (colluding * years) / (colluding * years + honest);
  let later = 0;
  for (let hops = SIGNAL_HOPS_MAX - 1; hops >= 0; hops--) {
    const handed = hops === SIGNAL_HOPS_MAX - 1 ? 0 : claims ? weight + (1 - weight) * later : later;
    later = (1 - miss) * weight + miss * handed;
  }
  return later;
}
