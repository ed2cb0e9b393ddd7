import { isJsonObject } from "@darkmatter/core";
import { afterAll, expect, test } from "vitest";
import { exampleWorld, worldFor } from "../../testing/example-world.ts";
import { testServer } from "../../testing/test-server.ts";
import { templateOf } from "./document.ts";

const world = await exampleWorld();
const { routes } = world.server.server;
const examples = routes.flatMap((route) =>
  (route.contract?.examples ?? []).map((example) => ({
    name: `${route.method} ${route.path}: ${example.name}`,
    route,
    example,
  })),
);
const named = routes.map((route) => ({ name: `${route.method} ${route.path}`, route }));
afterAll(() => world[Symbol.asyncDispose]());

test("the API is there", () => {
  expect(routes.length).toBeGreaterThan(60);
  expect(examples.length).toBeGreaterThan(routes.length);
});

const flexible = examples.filter(({ route }) => route.contract?.caller === "key or session");

test.each(named)(
  "$name says what callers may rely on, with an example of success or refusal",
  ({ route }) => {
    expect(route.contract?.examples.length ?? 0).toBeGreaterThan(0);
    expect(Object.keys(route.contract?.answers ?? {}).length).toBeGreaterThan(0);
  },
);

test.each(examples)("$name", async ({ route, example }) => {
  await using own = await worldFor(route, world);
  const { status, text, json } = await own.run(route, example);
  expect([status, status === example.status ? "" : text]).toEqual([example.status, ""]);
  if (status >= 400 && json !== undefined && status !== 503)
    expect(json).toMatchObject({ error: expect.stringMatching(/./), code: expect.stringMatching(/^\w+$/) });
  const schema = route.contract?.answers[status]?.schema;
  if (schema) expect(schema.safeParse(json).error).toBeUndefined();
  if (route.contract?.request && example.body !== undefined && status < 300)
    expect(route.contract.request.safeParse(own.bodyOf(example)).error).toBeUndefined();
});

test.each(flexible)("$name, with a session", async ({ route, example }) => {
  await using own = await worldFor(route, world);
  const { session } = own.own;
  const { status } = await own.run(route, example, { key: session, session });
  expect(status).toBe(example.status);
});

test("every placeholder of an example is known, and every parameter of a path has a value", () => {
  for (const { name, route, example } of examples) {
    const text = JSON.stringify([example.params, example.query, example.body]);
    for (const [, placeholder = ""] of text.matchAll(/\{(\w+)\}/g))
      expect([name, Object.keys(world.names)]).toEqual([name, expect.arrayContaining([placeholder])]);
    const parameters = [...route.path.matchAll(/:(\w+)/g)].map(([, parameter]) => parameter);
    expect([name, Object.keys(example.params ?? {}).sort()]).toEqual([name, parameters.sort()]);
  }
});

interface Document {
  readonly openapi: string;
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly securitySchemes: Readonly<Record<string, object>>;
    readonly schemas: Readonly<Record<string, object>>;
  };
}
interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters: readonly {
    readonly name: string;
    readonly in: string;
    readonly required: boolean;
    readonly schema: object;
  }[];
  readonly responses: Readonly<Record<string, { readonly description: string }>>;
}

test("the document is OpenAPI 3.1 and has every route once", async () => {
  await using server = await testServer();
  const { status, headers, json } = await server.call({ path: "/openapi.json" });
  expect([status, headers["content-type"]]).toEqual([200, "application/json; charset=utf-8"]);
  const document = json as unknown as Document;
  expect(document.openapi).toMatch(/^3\.1\.\d$/);
  const operations = Object.entries(document.paths).flatMap(([path, of]) =>
    Object.entries(of).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      path,
      operation,
    })),
  );
  expect(operations.map(({ name }) => name).sort()).toEqual(
    routes.map(({ method, path }) => `${method} ${templateOf(path)}`).sort(),
  );
  expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(operations.length);
  for (const { name, path, operation } of operations) {
    const inPath = operation.parameters.filter((parameter) => parameter.in === "path");
    expect([name, inPath.map((one) => one.name)]).toEqual([
      name,
      [...path.matchAll(/\{(\w+)\}/g)].map(([, one]) => one),
    ]);
    expect(inPath.every(({ required }) => required)).toBe(true);
    for (const scheme of operation.security.flatMap(Object.keys))
      expect(Object.keys(document.components.securitySchemes)).toContain(scheme);
    expect(document.tags.map((tag) => tag.name)).toEqual(expect.arrayContaining([...operation.tags]));
    expect(operation.summary).toMatch(/./);
    for (const response of Object.values(operation.responses)) expect(response.description).toMatch(/./);
  }
});

test("every reference of the document leads somewhere", async () => {
  await using server = await testServer();
  const { json, text } = await server.call({ path: "/openapi.json" });
  const references = [...text.matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, to = ""]) => to);
  expect(references.length).toBeGreaterThan(0);
  for (const reference of new Set(references)) {
    let at: unknown = json;
    for (const name of reference.split("/")) at = isJsonObject(at) ? at[name] : undefined;
    expect([reference, typeof at]).toEqual([reference, "object"]);
  }
});

test("a call that needs a credential says so in the document", async () => {
  await using server = await testServer();
  const { json } = await server.call({ path: "/openapi.json" });
  const { paths } = json as unknown as Document;
  expect(paths["/api/commit"]?.post?.security).toEqual([{ apiKey: [] }]);
  expect(paths["/api/verify/{id}"]?.get?.security).toEqual([
    { apiKey: [] },
    { session: [] },
    { sessionCookie: [] },
  ]);
  expect(paths["/api/stats"]?.get?.security).toEqual([]);
  expect(paths["/api/log/checkpoint"]?.post?.security).toEqual([{ admin: [] }]);
});

test("the page shows every route, and runs and loads nothing", async () => {
  await using server = await testServer();
  for (const call of [{ path: "/" }, { path: "/api/commit", method: "GET" }])
    expect((await server.call(call)).json).toMatchObject({ hint: expect.stringContaining("/docs") });
  const { status, headers, text } = await server.call({ path: "/docs" });
  expect(status).toBe(200);
  for (const { method, path } of routes) expect(text).toContain(`<code>${method} ${templateOf(path)}</code>`);
  expect(headers["content-security-policy"]).toMatch(/^default-src 'none'; style-src 'sha256-/);
  expect(text).not.toMatch(/<script|src=/);
});
