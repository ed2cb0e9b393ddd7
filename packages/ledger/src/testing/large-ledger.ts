import { type Random, sha256Hex } from "@darkmatter/core";
import { seededRandom } from "@darkmatter/core/testing";
import type { Database } from "@darkmatter/store";
import { insertAccount } from "../server/accounts/accounts.store.ts";
import { insertAgent } from "../server/agents/agents.store.ts";
import { appendCommit } from "../server/commits/append.ts";
import { NO_CLAIMS, type ParentCommit } from "../server/commits/commit.ts";
import { draftOf, storedOf } from "../server/commits/new-commit.ts";
import { keyHint, newAgentId, newApiKey } from "../server/ids.ts";
import type { LedgerServerPorts } from "../server/ports.ts";
import { createGramRarity } from "../server/search/gram-rarity.ts";
import { createSearchIndexer } from "../server/search/indexer.ts";
import type { TestAgent } from "./test-server.ts";

/** 2026-01-01T00:00:00Z; commits come every ten seconds from then on. */
const START_MS = 1_767_225_600_000;
const GAP_MS = 10_000;
/** Commits, and documents, that share a transaction. */
const [COMMITTED_AT_ONCE, INDEXED_AT_ONCE] = [500, 2000];
const STEPS_A_CHAIN = 5;
/** Shares of the accounts, in commits of ten. */
const SHARES = [0, 0, 0, 0, 0, 1, 1, 1, 2, 2] as const;
const AGENTS_AN_ACCOUNT = 3;

export interface LargeLedger {
  /** The agents of each account, the largest account first: half of all, three and two tenths. */
  readonly accounts: readonly (readonly TestAgent[])[];
  readonly vocabulary: Vocabulary;
  /** What was written as the request and the ticket of a commit, by its position. */
  readonly namesOf: (position: number) => { readonly request: string; readonly ticket: number };
}

export interface Vocabulary {
  /** In nearly every payload, in a few of a hundred, in a few of ten thousand. */
  readonly common: readonly string[];
  readonly middle: readonly string[];
  readonly rare: readonly string[];
}

const MODELS = ["claude-opus-4-6", "gpt-4o", "gpt-4o-mini", "llama-3.3-70b", "gemini-2.5-pro"];
const PROVIDERS = ["anthropic", "openai", "openai", "local", "google"];
const EVENTS = ["commit", "commit", "commit", "checkpoint", "retry", "anthropic.tool_call"];

/** A ledger of so many commits as agents write them, through the one append path. The same for the same size. */
export async function buildLargeLedger(
  { db, clock }: Pick<LedgerServerPorts, "db" | "clock">,
  commits: number,
): Promise<LargeLedger> {
  const random = seededRandom(commits);
  const words = vocabularyOf(random);
  const accounts = await makeAccounts(db, random);
  const namesOf = (position: number) => ({
    request: sha256Hex(`request ${position}`).slice(0, 12),
    ticket: 100_000 + ((position * 7919) % 900_000),
  });
  const tips = new Map<TestAgent, ParentCommit>();
  for (let first = 0; first < commits; first += COMMITTED_AT_ONCE) {
    await db.write(async (tx) => {
      for (let position = first; position < Math.min(commits, first + COMMITTED_AT_ONCE); position++) {
        const agents = accounts[SHARES[position % SHARES.length] ?? 0] ?? [];
        const by = agents[random.integer(agents.length)] as TestAgent;
        const model = random.integer(MODELS.length);
        const atMs = START_MS + position * GAP_MS;
        const tip = tips.get(by);
        const parent = tip && tip.depth < STEPS_A_CHAIN ? tip : undefined;
        const draft = draftOf(
          {
            by: { kind: "key", account: by.account, agentId: by.id, agentName: by.name },
            to: by,
            parent,
            trace: `trc_${by.id}_${Math.floor(position / 50)}`,
            branch: "main",
            event: EVENTS[random.integer(EVENTS.length)] ?? "commit",
            role: "worker",
            provider: PROVIDERS[model] ?? null,
            model: MODELS[model] ?? null,
            timestamp: `${new Date(atMs).toISOString().slice(0, 19)}Z`,
            keyId: "default",
            payload: payloadOf(words, random, namesOf(position)),
            claims: NO_CLAIMS,
          },
          atMs,
          random,
        );
        const stored = storedOf(draft, await appendCommit(tx, draft));
        tips.set(by, stored);
      }
    });
  }
  await indexAll(db, clock);
  return { accounts, vocabulary: words, namesOf };
}

async function indexAll(db: Database, clock: LedgerServerPorts["clock"]): Promise<void> {
  const indexer = createSearchIndexer({ db, clock, rarity: createGramRarity(clock) });
  while ((await indexer.step({ commits: INDEXED_AT_ONCE, bytes: Number.POSITIVE_INFINITY })) > 0)
    await clock.turn();
  while (await indexer.tidy()) await clock.turn();
}

async function makeAccounts(db: Database, random: Random): Promise<TestAgent[][]> {
  const accounts: TestAgent[][] = [];
  for (let account = 0; account <= Math.max(...SHARES); account++) {
    const email = `owner-${account}@example.test`;
    const id = await db.write((tx) => insertAccount(tx, { email, password: null, createdMs: START_MS }));
    if (id === undefined) throw new Error("The ledger has accounts already.");
    const agents = Array.from({ length: AGENTS_AN_ACCOUNT }, (_, at) => ({
      id: newAgentId(random),
      name: `agent ${account}.${at}`,
      account: id,
      key: newApiKey(random),
    }));
    for (const agent of agents)
      await db.write((tx) =>
        insertAgent(tx, {
          ...agent,
          role: null,
          provider: null,
          model: null,
          keyHash: sha256Hex(agent.key),
          keyHint: keyHint(agent.key),
          madeBy: "provision",
          spawnedBy: null,
          createdMs: START_MS,
        }),
      );
    accounts.push(agents);
  }
  return accounts;
}

const ONSETS =
  "b c d f g h j k l m n p qu r s t v w z br ch cl cr dr fl gr ph pl pr sc sh sl sp st str th tr".split(" ");
const VOWELS = "a e i o u ai ea ee ie oa ou au".split(" ");
const CODAS = ["", "", "", ..."b ck d g l m n nd ng nt p r rk rt s st t x".split(" ")];
const SIZES = { common: 250, middle: 3000, rare: 20_000 };

function vocabularyOf(random: Random): Vocabulary {
  const pick = (parts: readonly string[]) => parts[random.integer(parts.length)] ?? "";
  const taken = new Set<string>();
  const word = (syllables: number): string => {
    let made = "";
    for (let at = 0; at < syllables; at++) made += pick(ONSETS) + pick(VOWELS) + pick(CODAS);
    if (taken.has(made)) return word(syllables + 1);
    taken.add(made);
    return made;
  };
  const words = (count: number, syllables: () => number) =>
    Array.from({ length: count }, () => word(syllables()));
  return {
    common: words(SIZES.common, () => 1),
    middle: words(SIZES.middle, () => 1 + random.integer(2)),
    rare: words(SIZES.rare, () => 2 + random.integer(2)),
  };
}

const LENGTH = { least: 18, more: 40 };
/** Of a thousand words: common ones, and those that are no rare ones. */
const [COMMON, NOT_RARE] = [620, 900];

function payloadOf(
  { common, middle, rare }: Vocabulary,
  random: Random,
  { request, ticket }: { readonly request: string; readonly ticket: number },
): string {
  const word = () => {
    const kind = random.integer(1000);
    const words = kind < COMMON ? common : kind < NOT_RARE ? middle : rare;
    return words[random.integer(words.length)] ?? "";
  };
  const sentence = (words: number) => Array.from({ length: words }, word).join(" ");
  const length = LENGTH.least + random.integer(LENGTH.more);
  return JSON.stringify({
    input: `${sentence(length >> 1)}?`,
    output: `${sentence(length)}.`,
    memory: { request: `req-${request}`, ticket, attempt: 1 + random.integer(3) },
  });
}
