import type { FakeSolana } from "@darkmatter/mesh/testing";
import type { Home } from "../bench/lib/home.ts";
import { commitsOf, openForReading, repeated } from "./verdict.ts";

/** What is still on its way, by kind. */
export interface Dealings {
  readonly payments: readonly string[];
  readonly notices: readonly string[];
  readonly helpers: readonly string[];
  readonly answers: readonly string[];
  /** Messages that have not reached the other side. */
  readonly messages: readonly string[];
}

interface Node {
  readonly home: Home;
  readonly agentId: string;
}

/** Payments, notices and helpers that have no end yet. The nodes may run. */
export function openDealings(payer: Node, payee: Node): Dealings {
  using here = openForReading(payer);
  using there = openForReading(payee);
  const pending = "SELECT tx_signature AS id FROM mesh_payments WHERE state = 'pending'";
  return {
    payments: [...here.ids(`${pending} OR notice = 'due'`), ...there.ids(pending)],
    notices: there.ids("SELECT tx_signature AS id FROM mesh_payment_notices WHERE next_at_ms IS NOT NULL"),
    helpers: there.ids("SELECT id FROM mesh_delegations WHERE state <> 'ended'"),
    answers: there.ids("SELECT message_id AS id FROM mesh_inbox WHERE answer IS NOT NULL"),
    messages: here.ids("SELECT message_id AS id FROM mesh_outbox WHERE next_at_ms IS NOT NULL"),
  };
}

export interface SocietyVerdict {
  readonly lost: readonly string[];
  readonly paidTwice: readonly string[];
  readonly answeredTwice: readonly string[];
  readonly handedTwice: readonly string[];
  readonly fees: number;
  readonly helpers: number;
  readonly answers: number;
}

interface Evidence {
  readonly payer: Node;
  readonly payee: Node;
  readonly chain: FakeSolana;
  /** Lamports by transaction, as the paying agent was told. */
  readonly paid: ReadonlyMap<string, number>;
  readonly sent: ReadonlySet<string>;
}

/** Compares what the agents were told with the chain and both databases. All nodes have ended. */
export function judgeSociety({ payer, payee, chain, paid, sent }: Evidence): SocietyVerdict {
  using here = openForReading(payer);
  using there = openForReading(payee);
  const landed = chain.landed.filter(({ error }) => !error);
  const onChain = new Set(landed.map(({ signature }) => signature));
  const received = there.ids(commitsOf("payment.received", "json_extract(fields, '$.tx_signature.value')"));
  const told = new Set(received);
  const waiting = there.ids("SELECT message_id AS id FROM mesh_inbox");
  const answered = there.ids(commitsOf("message.answered", "message_id"));
  // Its ledger, not its table: a sender keeps its newest hundred messages, and the answers to these.
  const answers = here.ids(commitsOf("message.answered", "message_id"));
  const known = new Set([...waiting, ...answered]);
  const handed = there.ids(commitsOf("delegation.granted", "message_id"));
  return {
    lost: [
      ...[...paid.keys()].filter((id) => !onChain.has(id)).map((id) => `payment ${id} never landed`),
      ...[...paid.keys()].filter((id) => !told.has(id)).map((id) => `payment ${id} was not noticed`),
      ...[...sent].filter((id) => !known.has(id)).map((id) => `message ${id}`),
      ...answered.filter((id) => sent.has(id) && !answers.includes(id)).map((id) => `answer to ${id}`),
    ],
    // Every call paid another amount, so that its fee is another, too.
    paidTwice: [...repeated(landed.map(amountOf)), ...repeated(received)],
    answeredTwice: [...repeated(answers), ...repeated(answered)],
    handedTwice: repeated(handed),
    fees: there.ids("SELECT key AS id FROM mesh_payments WHERE state = 'confirmed'").length,
    helpers: handed.length,
    answers: answers.length,
  };
}

const amountOf = ({ accounts, before, after }: FakeSolana["landed"][number]): string =>
  `${accounts[0]} ${(after.lamports[1] ?? 0n) - (before.lamports[1] ?? 0n)}`;
