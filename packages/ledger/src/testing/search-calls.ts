import { expect } from "vitest";
import { createGramRarity } from "../server/search/gram-rarity.ts";
import { createSearchIndexer } from "../server/search/indexer.ts";
import type { TestAgent, TestServer } from "./test-server.ts";

interface SearchAnswer {
  readonly results: readonly { readonly id: string; readonly payload: unknown }[];
  readonly count: number;
  readonly total: number;
  readonly query: string | null;
  readonly nextCursor: string | null;
}

export async function search(
  server: TestServer,
  by: TestAgent,
  asked: Record<string, string>,
): Promise<SearchAnswer> {
  const { status, json, text } = await server.call({ path: `/api/search?${new URLSearchParams(asked)}` }, by);
  expect([status, text]).toEqual([200, expect.any(String)]);
  return json as unknown as SearchAnswer;
}

export const idsOf = ({ results }: SearchAnswer) => results.map(({ id }) => id);

export const indexerOf = ({ db, ports }: Pick<TestServer, "db" | "ports">) =>
  createSearchIndexer({ db, clock: ports.clock, rarity: createGramRarity(ports.clock) });

export async function indexAll(server: Pick<TestServer, "db" | "ports">): Promise<void> {
  const indexer = indexerOf(server);
  while ((await indexer.step()) > 0);
}
