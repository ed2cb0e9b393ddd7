import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { reasonOf } from "@darkmatter/core";
import type { CustomRouter, CustomRouting } from "@darkmatter/mesh";
import { nodeError } from "../errors.ts";

/**
 * The owner's own routers from a module: its export `chain`, an array that takes the place of everything, else its
 * default export, a function that is asked before the rules. Relative paths start where the node was started.
 * @throws CONFIG_INVALID for a module that is not there, does not load or exports neither
 */
export async function loadRouters(path: string | undefined): Promise<CustomRouting | undefined> {
  if (path === undefined) return undefined;
  const file = resolve(path);
  const found = await load(file);
  if (found.chain !== undefined) {
    if (Array.isArray(found.chain) && found.chain.length > 0 && found.chain.every(isRouter)) {
      return { routers: found.chain, replaces: true };
    }
    throw broken(file, "its export `chain` is not an array of functions");
  }
  if (isRouter(found.default)) return { routers: [found.default], replaces: false };
  throw broken(file, "it exports neither a default function (message, context) nor `chain`");
}

async function load(file: string): Promise<{ readonly default?: unknown; readonly chain?: unknown }> {
  try {
    return (await import(pathToFileURL(file).href)) as { default?: unknown; chain?: unknown };
  } catch (error) {
    throw broken(file, reasonOf(error));
  }
}

const isRouter = (value: unknown): value is CustomRouter => typeof value === "function";

const broken = (file: string, why: string) =>
  nodeError("CONFIG_INVALID", `DARKMATTER_ROUTER names ${file}, which cannot be used: ${why}.`);
