import type { Route, RouteContract } from "@darkmatter/surface";
import { z } from "zod";

/** What of a route is written into the document; a route without a contract is none that callers rely on. */
export type DescribedRoute = Route & { readonly contract: RouteContract };

export const isDescribed = (route: Route): route is DescribedRoute => route.contract !== undefined;

type Schema = Readonly<Record<string, unknown>>;

const ErrorView = z.object({
  error: z.string().describe("a sentence"),
  code: z.string().describe("for programs; part of the API"),
  hint: z.string().optional().describe("what to do"),
  request_id: z.string().optional().describe("of an error of the server itself"),
});

/** Who may call, as `security` of an operation: one of these is enough. */
const SECURITY: Readonly<Record<RouteContract["caller"], readonly Schema[]>> = {
  anyone: [],
  key: [{ apiKey: [] }],
  session: [{ session: [] }, { sessionCookie: [] }],
  "key or session": [{ apiKey: [] }, { session: [] }, { sessionCookie: [] }],
  admin: [{ admin: [] }],
  witness: [{ witness: [] }],
};

const SECURITY_SCHEMES = {
  apiKey: { type: "http", scheme: "bearer", description: "An agent's API key, `dm_sk_…`" },
  session: { type: "http", scheme: "bearer", description: "A session's access token" },
  sessionCookie: { type: "apiKey", in: "cookie", name: "dm_access", description: "A browser's session" },
  admin: {
    type: "http",
    scheme: "bearer",
    description: "The operator's secret, or a configured agent's key",
  },
  witness: { type: "apiKey", in: "header", name: "X-Witness-ID", description: "A registered witness" },
};

/** The API as an OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.1), made of the route table. */
export function openApiDocument(routes: readonly Route[], baseUrl: string) {
  const described = routes.filter(isDescribed);
  const paths: Record<string, Record<string, Schema>> = {};
  for (const route of described) {
    const path = templateOf(route.path);
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route) };
  }
  return {
    openapi: "3.1.1",
    info: {
      title: "DarkMatter ledger",
      version: "1.0.0",
      description:
        "One record for every agent of a team. Names in braces in examples stand for ids of your own. Any id of another account is answered exactly as an unknown one.",
    },
    servers: [{ url: baseUrl }],
    tags: [...new Set(described.map(({ contract }) => contract.tag))].map((name) => ({ name })),
    paths,
    components: { securitySchemes: SECURITY_SCHEMES, schemas: { Error: schemaOf(ErrorView, "output") } },
  };
}

/** `/api/verify/:id` as OpenAPI writes it. */
export function templateOf(path: string): string {
  return path.replace(/:(\w+)/g, "{$1}");
}

function operationOf({ method, path, summary, body, contract }: DescribedRoute): Schema {
  const requestBody = body === "none" ? undefined : requestOf(contract);
  return {
    operationId: `${method.toLowerCase()}${path.replace(/[^A-Za-z0-9]+(.)?/g, (_, next = "") => next.toUpperCase())}`,
    tags: [contract.tag],
    summary,
    security: SECURITY[contract.caller],
    parameters: [...pathParameters(path, contract), ...queryParameters(contract)],
    ...(requestBody && { requestBody }),
    responses: responsesOf(contract, body !== "none"),
  };
}

function pathParameters(path: string, { examples }: RouteContract): Schema[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name = ""]) => {
    const example = examples.find(({ params }) => params?.[name] !== undefined)?.params?.[name];
    return {
      name,
      in: "path",
      required: true,
      schema: { type: "string" },
      ...(example !== undefined && { example }),
    };
  });
}

function queryParameters({ query }: RouteContract): Schema[] {
  if (query === undefined) return [];
  const { properties = {}, required = [] } = schemaOf(query, "input") as {
    properties?: Record<string, Schema>;
    required?: readonly string[];
  };
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: "query",
    required: required.includes(name),
    schema,
  }));
}

function requestOf({ request, examples }: RouteContract): Schema {
  const named = examples.filter(({ body }) => body !== undefined);
  return {
    required: false,
    content: {
      "application/json": {
        schema: request === undefined ? { type: "object" } : schemaOf(request, "input"),
        ...(named.length > 0 && {
          examples: Object.fromEntries(
            named.map(({ name, body, status }) => [
              name.replace(/[^A-Za-z0-9._-]+/g, "-"),
              { summary: `${name} (${status})`, value: body },
            ]),
          ),
        }),
      },
    },
  };
}

/** What any route of its kind may answer, besides what its contract says. */
function responsesOf(contract: RouteContract, hasBody: boolean): Schema {
  const said: [number, RouteContract["answers"][number]][] = [
    [429, { says: "too many requests; `Retry-After` says how long to wait" }],
  ];
  if (contract.caller !== "anyone") said.push([401, { says: "no valid credential came with the request" }]);
  if (hasBody || contract.query) said.push([400, { says: "the request is not as this route wants it" }]);
  if (hasBody) said.push([413, { says: "the body is too large" }]);
  for (const [status, its] of Object.entries(contract.answers)) said.push([Number(status), its]);
  const responses = said.map(([status, { says, schema }]) => [
    status,
    { description: says, ...contentOf(status, schema) },
  ]);
  return { ...Object.fromEntries(responses), default: { description: "an error", ...contentOf(500) } };
}

function contentOf(status: number, schema?: z.ZodType): Schema {
  if (schema !== undefined)
    return { content: { "application/json": { schema: schemaOf(schema, "output") } } };
  if (status < 400) return {};
  return { content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } } };
}

/** A zod schema as the JSON Schema 2020-12 that OpenAPI 3.1 has inside. */
export function schemaOf(schema: z.ZodType, io: "input" | "output"): Schema {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return rest;
}
