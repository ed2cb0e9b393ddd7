import { DarkMatterError } from "@darkmatter/core";
import type { Answer } from "@darkmatter/surface";
import type { KeyCaller } from "../callers.ts";
import { serverError } from "../errors.ts";
import { answer } from "../json-text.ts";
import type { LedgerServerPorts } from "../ports.ts";
import { insertRejection } from "./rejections.store.ts";

/** A refusal whose answer has members of its own. */
class CommitRefused extends Error {
  readonly code: string;
  readonly answer: Answer;

  constructor(code: string, answer: Answer) {
    super(code);
    this.code = code;
    this.answer = answer;
  }
}

/** Of a recipient that is not the account's, whoever's it is (ledger.md 3.1). */
export function noRecipient(): CommitRefused {
  const { code, hint } = serverError("not_found");
  const error = "There is no such recipient in this account.";
  const body = { error, reason: "recipient_not_found", verified: false, code, hint };
  return new CommitRefused(code, answer(404, body));
}

/** Of an attestation that does not hold (ledger.md 2.8). */
export function attestationFailed(reason: string): CommitRefused {
  const code = "attestation_failed";
  const message = `The client's attestation does not hold: ${reason.replaceAll("_", " ")}.`;
  return new CommitRefused(code, answer(400, { error: code, reason, message, code }));
}

/** Of an agent that sends more than its share. */
export function tooManyBytes(tooMany: Answer, waitSeconds: number): CommitRefused {
  const headers = { ...tooMany.headers, "retry-after": String(waitSeconds) };
  return new CommitRefused(serverError("rate_limited").code, { ...tooMany, headers });
}

/** Carries out an attempt to commit; one that is refused stands in the audit table, and in no chain (ledger.md 10). */
export async function auditing(
  { db, clock }: Pick<LedgerServerPorts, "db" | "clock">,
  { account, agentId }: KeyCaller,
  attempt: () => Promise<Answer>,
): Promise<Answer> {
  try {
    return await attempt();
  } catch (error) {
    const isOurs = error instanceof DarkMatterError && error.status >= 500;
    const isRefusal = error instanceof CommitRefused || (error instanceof DarkMatterError && !isOurs);
    if (!isRefusal) throw error;
    const rejection = { account, agent: agentId, code: error.code, atMs: Math.floor(clock.now()) };
    await db.write((tx) => insertRejection(tx, rejection));
    if (error instanceof CommitRefused) return error.answer;
    throw error;
  }
}
