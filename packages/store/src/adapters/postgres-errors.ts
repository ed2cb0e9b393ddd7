import { DarkMatterError, hasCode } from "@darkmatter/core";
import { storeError } from "../errors.ts";
import { unreachableReason } from "./postgres-target.ts";

/** SQLSTATE codes of two transactions in each other's way: the loser may simply run again. */
const RETRYABLE_STATES = new Set(["40001", "40P01"]);

export function isRetryable(error: unknown): boolean {
  return RETRYABLE_STATES.has(sqlState(error) ?? "");
}

/** What pg threw, in our words. SQLSTATE classes: postgresql.org/docs/current/errcodes-appendix.html */
export function translate(error: unknown): Error {
  if (error instanceof DarkMatterError) return error;
  const state = sqlState(error);
  if (state === undefined) return storeError("DATABASE_UNREACHABLE", undefined, error);
  if (state === "53100") return storeError("DISK_FULL", undefined, error);
  if (state === "58030") return storeError("DISK_FAILED", undefined, error);
  if (state === "25006" || state === "42501") return storeError("DATABASE_READ_ONLY", undefined, error);
  if (state === "XX001" || state === "XX002") return storeError("DATABASE_DAMAGED", undefined, error);
  if (state === "25P02") return storeError("TRANSACTION_ABORTED", undefined, error);
  if (state.startsWith("23")) return storeError("CONSTRAINT_BROKEN", undefined, error);
  if (isRetryable(error) || state === "55P03" || state === "53300")
    return storeError("DATABASE_BUSY", undefined, error);
  if (state === "3D000")
    return storeError("DATABASE_UNREACHABLE", "The server has no database of this name.", error);
  if (state.startsWith("28"))
    return storeError("DATABASE_UNREACHABLE", "The server refuses this user or password.", error);
  if (state.startsWith("08") || state.startsWith("57P")) {
    return storeError("DATABASE_UNREACHABLE", undefined, error);
  }
  return storeError("DATABASE_FAILED", undefined, error);
}

/** What kept a database from being opened, in our words, with where it was looked for. */
export function openingError(error: unknown, where: string): Error {
  const refused = translate(error);
  if (!hasCode(refused, "DATABASE_UNREACHABLE")) return refused;
  if (sqlState(error) === undefined) {
    const message = `The database at ${where} cannot be reached: ${unreachableReason(error)}.`;
    return storeError("DATABASE_UNREACHABLE", message, error);
  }
  return storeError("DATABASE_UNREACHABLE", `${refused.message} It was asked for at ${where}.`, error);
}

/** The five characters of a server's refusal; none when the connection itself failed. */
function sqlState(error: unknown): string | undefined {
  const inner = error instanceof DarkMatterError ? error.cause : error;
  if (!(inner instanceof Error) || !("code" in inner) || typeof inner.code !== "string") return undefined;
  return /^[0-9A-Z]{5}$/.test(inner.code) && "severity" in inner ? inner.code : undefined;
}
