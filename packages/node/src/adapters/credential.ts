import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { nodeError } from "../errors.ts";

/** Where a secret is read from, so that it never stands in a command line that every process can see. */
export interface CredentialSource {
  /** A file, or `-` for standard input. */
  readonly file: string | undefined;
  /** The name of an environment variable. */
  readonly variable: string | undefined;
}

/** The secret without the line's end; empty where none is named. @throws USAGE */
export async function readCredential({ file, variable }: CredentialSource): Promise<string> {
  if (file !== undefined && variable !== undefined) {
    throw nodeError("USAGE", "Give --credential-file or --credential-env, not both.");
  }
  const given = file === undefined ? fromEnvironment(variable) : await fromFile(file);
  return given.replace(/\r?\n$/, "");
}

function fromEnvironment(variable: string | undefined): string {
  if (variable === undefined) return "";
  const value = process.env[variable];
  if (value === undefined) throw nodeError("USAGE", `The environment has no ${variable}.`);
  return value;
}

async function fromFile(file: string): Promise<string> {
  if (file === "-") return text(process.stdin);
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw nodeError("USAGE", `The file ${file} cannot be read.`, error);
  }
}
