import type { Route } from "@darkmatter/surface";
import type { Ways } from "../callers.ts";
import { madeOnce } from "../made-once.ts";
import { pageAnswer } from "../pages/page.ts";
import type { LedgerServerPorts } from "../ports.ts";
import { isDescribed, openApiDocument } from "./document.ts";
import { readerPage } from "./reader.ts";

/** The API about itself: what the other routes say they do. */
export function openApiRoutes(
  { config }: Pick<LedgerServerPorts, "config">,
  ways: Ways,
  others: readonly Route[],
): Route[] {
  const own: Route[] = [
    ways.byAnyone({
      method: "GET",
      path: "/openapi.json",
      summary: "Describes this API as OpenAPI 3.1",
      contract: {
        tag: "operation",
        answers: { 200: { says: "the document" } },
        examples: [{ name: "all of it", status: 200 }],
      },
      handle: async () => ({
        status: 200,
        headers: { "content-type": "application/json; charset=utf-8" },
        body: documentText(),
      }),
    }),
    ways.byAnyone({
      method: "GET",
      path: "/docs",
      summary: "Shows this API as a page",
      contract: {
        tag: "operation",
        answers: { 200: { says: "the page" } },
        examples: [{ name: "all of it", status: 200 }],
      },
      handle: async () => page(),
    }),
  ];
  const all = [...others, ...own];
  const documentText = madeOnce(() => JSON.stringify(openApiDocument(all, config.baseUrl)));
  const page = madeOnce(() => pageAnswer(200, readerPage(all.filter(isDescribed), config.baseUrl)));
  return own;
}
