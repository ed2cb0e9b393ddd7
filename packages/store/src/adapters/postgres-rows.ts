import type { CustomTypesConfig } from "pg";
import type { SqlValue } from "../database.ts";
import { storeError } from "../errors.ts";

/** Object ids of PostgreSQL's built-in types (its catalogue pg_type). */
const OID = {
  bool: 16,
  bytea: 17,
  int8: 20,
  int2: 21,
  int4: 23,
  float4: 700,
  float8: 701,
  numeric: 1700,
} as const;

const PARSERS = new Map<number, (text: string) => SqlValue>([
  [OID.bool, (text) => (text === "t" ? 1 : 0)],
  [OID.bytea, (text) => new Uint8Array(Buffer.from(text.slice(2), "hex"))],
  [OID.int8, exactNumber],
  [OID.int2, Number],
  [OID.int4, Number],
  [OID.float4, Number],
  [OID.float8, Number],
  // What sum() of BIGINTs answers.
  [OID.numeric, Number],
]);

/** Columns as the port promises them: integers as numbers, truth as 1 and 0, bytes as Uint8Array, the rest as text. */
export const columnTypes: CustomTypesConfig = {
  getTypeParser: ((oid: number) => PARSERS.get(oid) ?? String) as CustomTypesConfig["getTypeParser"],
};

function exactNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value))
    throw storeError("DATABASE_DAMAGED", "An integer is too large for a number.");
  return value;
}

/** pg takes bytes only as a Buffer; this one shares the memory. */
export function parameter(value: SqlValue): null | number | string | Buffer {
  return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value;
}
