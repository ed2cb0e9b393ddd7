import { isJsonObject, parseJson } from "@darkmatter/core";
import type { Statement, TogetherReport } from "@darkmatter/proof";
import { brief, shortId } from "./context.ts";
import { agentText } from "./verify-text.ts";

/** Characters of what was said that are shown. */
const WORDS_MAX = 200;

/** Agents by the names they give themselves in the files. */
export type Names = ReadonlyMap<string, string>;

export function namesIn({ bundles }: Pick<TogetherReport, "bundles">): Names {
  return new Map(
    bundles.flatMap(({ report: { about } }) =>
      about === null ? [] : [[about.exportedBy, about.agentName] as const],
    ),
  );
}

/** `Ana (ab12cd34ef56) sent Bo (4a9c0e11aa22) msg-…: "text"` */
export function statementText(statement: Statement, names: Names): string {
  const { agentId, agentName, peer, content } = statement;
  const who = agentText(agentId, agentName);
  const other = peer === null ? callerText(statement) : agentText(peer, names.get(peer) ?? null);
  const words = content === null ? "" : `: ${JSON.stringify(brief(content, WORDS_MAX))}`;
  return `${who} ${deedText(statement, other)}${words}`;
}

/** Somebody who is no agent and came with a token of the owner's, as far as that is disclosed. */
function callerText({ disclosed }: Statement): string {
  const caller = disclosed.find(({ name }) => name === "caller")?.value;
  return typeof caller === "string" ? brief(caller, 60) : "nobody";
}

function deedText(statement: Statement, other: string): string {
  const message = brief(statement.messageId ?? "", 60);
  switch (statement.act) {
    case "message.sent":
      return `sent ${other} ${message}`;
    case "message.received":
      return `received ${message} from ${other}`;
    case "message.forwarded":
      return `forwarded ${message} to ${other}`;
    case "message.answered":
      return isInbound(statement) ? `was answered ${message} by ${other}` : `answered ${message} of ${other}`;
    case "receipt.given":
      return `told ${other} that ${message} was ${rungText(statement)}`;
    case "receipt.taken":
      return `took ${other}'s receipt that ${message} was ${rungText(statement)}`;
    case "connection.opened":
      return `opened a connection with ${other}`;
    case "connection.closed":
      return `closed the connection with ${other}`;
    case "impression.set":
      return `noted what it thinks of ${other}`;
    case "payment.sent":
      return `paid ${payeeText(statement, other)}${sumText(statement, "amount", "token")}`;
    case "payment.received":
      return `was paid${sumText(statement, "amount", "token")} by ${other}`;
    case "pool.spent":
      return `served ${other} by its pool${sumText(statement, "cost")}`;
    case "delegation.granted":
      return `handed ${message || "a request"} of ${other} to a helper`;
    case "delegation.ended":
      return `saw its helper for ${message || "a request"} of ${other} end`;
    default:
      return `recorded ${brief(statement.act, 40)} with ${other}`;
  }
}

/** Who gets a fee may be no agent we know: then its wallet, where that is disclosed. */
function payeeText({ peer, disclosed }: Statement, other: string): string {
  const wallet = disclosed.find(({ name }) => name === "to")?.value;
  return peer === null && typeof wallet === "string" ? `the wallet ${brief(wallet, 44)}` : other;
}

/** ` 0.5 SOL`; nothing where that stays closed. */
function sumText({ disclosed }: Statement, ...names: readonly string[]): string {
  const values = names.map((wanted) => disclosed.find(({ name }) => name === wanted)?.value);
  return values.flatMap((value) => (typeof value === "string" ? [` ${brief(value, 44)}`] : [])).join("");
}

/** Only who is answered keeps the answer's signature. */
function isInbound({ disclosed }: Statement): boolean {
  const value = (wanted: string) => disclosed.find(({ name }) => name === wanted)?.value;
  return value("direction") === "inbound" || value("signed") !== undefined;
}

function rungText({ disclosed, provenBy }: Statement): string {
  const value = (wanted: string) => disclosed.find(({ name }) => name === wanted)?.value;
  const receipt = parseJson(value("receipt") ?? "");
  const [taken, ...others] = provenBy.filter((proof) => proof.kind === "receipt");
  const proven = others.length === 0 ? taken?.rung : undefined;
  const rung = isJsonObject(receipt) ? receipt.rung : (value("rung") ?? proven);
  if (rung === undefined) return "at a step that stays closed";
  return rung === "acted" ? "acted on" : brief(rung, 20);
}

/** `its log (1 witness); Bo's own commit (bo.json); Ana's signature; Bo's receipts (stored, read)` */
export function proofsText({ provenBy }: Statement, names: Names): string {
  const whose = (agentId: string) => `${briefName(agentId, names)}'s`;
  const receipts = Map.groupBy(
    provenBy.filter((proof) => proof.kind === "receipt"),
    ({ agentId }) => agentId,
  );
  const texts = provenBy.flatMap((proof) => {
    if (proof.kind === "checkpoint") return [`its log (${witnessesText(proof.witnesses.length)})`];
    if (proof.kind === "other side") return [`${whose(proof.agentId)} own commit (${fileText(proof.file)})`];
    return proof.kind === "signature" ? [`${whose(proof.agentId)} signature`] : [];
  });
  for (const [agentId, taken] of receipts) {
    const rungs = [...new Set(taken.map(({ rung }) => brief(rung, 20)))].join(", ");
    texts.push(`${whose(agentId)} ${rungs.includes(",") ? "receipts" : "receipt"} (${rungs})`);
  }
  return ["its own signed commit", ...new Set(texts)].join("; ");
}

function witnessesText(count: number): string {
  if (count === 0) return "no witness";
  return count === 1 ? "1 witness" : `${count} witnesses`;
}

const fileText = (file: string) => brief(file.split(/[\\/]/).at(-1) ?? file, 60);

/** The name alone where only one agent of these files has it. */
function briefName(agentId: string, names: Names): string {
  const name = names.get(agentId) ?? "";
  const isOne = [...names.values()].filter((other) => other === name).length === 1;
  return isOne && brief(name, 24) !== "" ? brief(name, 24) : shortId(agentId);
}

/** Every statement with what proves it and what does not. */
export function statementLines(statements: readonly Statement[], names: Names): string[] {
  return statements.flatMap((statement, at) => [
    `${String(at + 1).padStart(3)}. ${brief(statement.at, 30)}  ${statementText(statement, names)}`,
    `       proven by: ${proofsText(statement, names)}`,
    ...statement.notProven.map((sentence) => `       not proven: ${brief(sentence, WORDS_MAX)}`),
  ]);
}
