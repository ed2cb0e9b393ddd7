import type { RouteExample } from "@darkmatter/surface";
import { type Markup, markup } from "../pages/html.ts";
import type { Page } from "../pages/page.ts";
import { type DescribedRoute, schemaOf, templateOf } from "./document.ts";

/** The API as a page to read: no script, nothing from elsewhere. */
export function readerPage(routes: readonly DescribedRoute[], baseUrl: string): Page {
  const chapters = Map.groupBy(routes, ({ contract }) => contract.tag);
  return {
    title: "DarkMatter ledger: the API",
    body: markup`<h1>DarkMatter ledger: the API</h1>
<p>The same for programs: <a href="${baseUrl}/openapi.json">openapi.json</a>. Names in braces stand for ids of your own.
Every example on this page is run by the tests. Errors are <code>{error, code, hint}</code>; any id of another account is
answered exactly as an unknown one.</p>
<ul>${[...chapters.keys()].map((tag) => markup`<li><a href="#${tag}">${tag}</a></li>`)}</ul>
${[...chapters].map(([tag, of]) => markup`<h2 id="${tag}">${tag}</h2>${of.map((route) => routeOf(route, baseUrl))}`)}`,
  };
}

function routeOf(route: DescribedRoute, baseUrl: string): Markup {
  const { method, path, summary, contract } = route;
  return markup`<details><summary><code>${method} ${templateOf(path)}</code> · ${summary}</summary>
<dl>
<dt>Called by</dt><dd>${contract.caller}</dd>
${contract.query === undefined ? "" : markup`<dt>Query</dt><dd>${schemaText(contract.query)}</dd>`}
${contract.request === undefined ? "" : markup`<dt>Body</dt><dd>${schemaText(contract.request)}</dd>`}
${Object.entries(contract.answers).map(
  ([status, { says, schema }]) =>
    markup`<dt>${status}</dt><dd>${says}${schema === undefined ? "" : schemaText(schema, "output")}</dd>`,
)}
${contract.examples.map((example) => markup`<dt>${example.name}</dt><dd><pre>${curlOf(route, example, baseUrl)}</pre>answers ${example.status}</dd>`)}
</dl></details>
`;
}

const schemaText = (schema: Parameters<typeof schemaOf>[0], io: "input" | "output" = "input") =>
  markup`<pre>${JSON.stringify(schemaOf(schema, io), null, 1)}</pre>`;

/** The call on a command line. */
function curlOf({ method, path, contract }: DescribedRoute, example: RouteExample, baseUrl: string): string {
  const filled = path.replace(/:(\w+)/g, (all, name) => example.params?.[name] ?? all);
  const query = Object.entries(example.query ?? {}).map(([name, value]) => `${name}=${value}`);
  const parts = [`curl -X ${method} '${baseUrl}${filled}${query.length === 0 ? "" : `?${query.join("&")}`}'`];
  if (contract.caller !== "anyone") parts.push(`-H 'Authorization: Bearer {key}'`);
  if (example.body !== undefined) {
    parts.push("-H 'Content-Type: application/json'");
    parts.push(`-d '${JSON.stringify(example.body).replaceAll("'", "'\\''")}'`);
  }
  return parts.join(" \\\n  ");
}
