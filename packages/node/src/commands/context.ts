import type { JsonObject } from "@darkmatter/core";
import type { CommandInput } from "@darkmatter/surface";
import type { OwningOptions } from "../adapters/owning.ts";
import { type Visit, visit } from "../adapters/visit.ts";
import { nodeError } from "../errors.ts";
import type { MainOptions } from "../main-options.ts";
import { plain } from "../plain.ts";

export { plain };

/** What a command was given, as the node's own modules take it. */
export function owningOptions({ options }: CommandInput, main: MainOptions): OwningOptions {
  return { ...main, home: textOption(options.home), passport: textOption(options.passport) };
}

export function textOption(value: string | boolean | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** @throws USAGE */
export function numberOption({ options }: CommandInput, name: string, most: number): number | undefined {
  const given = textOption(options[name]);
  if (given === undefined) return undefined;
  const value = Number(given);
  if (Number.isSafeInteger(value) && value >= 1 && value <= most) return value;
  throw nodeError("USAGE", `--${name} takes a whole number from 1 to ${most}.`);
}

/** Does something with the node a command means. */
export function visiting<T>(
  input: CommandInput,
  main: MainOptions,
  purpose: "read" | "act",
  body: (visit: Visit) => Promise<T>,
): Promise<T> {
  return visit({ ...owningOptions(input, main), signal: input.signal }, purpose, body);
}

/** The objects in a list of a tool's result. */
export function rows(value: JsonObject, key: string): JsonObject[] {
  const list = value[key];
  return Array.isArray(list) ? (list as JsonObject[]) : [];
}

/** The same on one line, cut to a length. */
export function brief(value: unknown, max: number): string {
  const text = plain(value).replace(/\s+/g, " ").trim();
  return text.length <= max
    ? text
    : `${Array.from(text)
        .slice(0, max - 1)
        .join("")}…`;
}

/** Enough of an agent's id to name it. */
export function shortId(agentId: unknown): string {
  return plain(agentId).replace(/\s+/g, " ").slice(0, 12);
}
