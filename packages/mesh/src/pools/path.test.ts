import fc from "fast-check";
import { expect, test } from "vitest";
import { checkedPath, isBelow } from "./path.ts";

/** Ways to leave `/v1` or to make two servers read two paths, whatever the server. */
const WALKS = [
  "/v1/../admin",
  "/v1/..",
  "/v1/./x",
  "/v1/%2e%2e/admin",
  "/v1/%2E%2E/admin",
  "/v1/.%2e/admin",
  "/v1/%2e./admin",
  "/v1/%2e",
  "/v1/..%2fadmin",
  "/v1/..%2Fadmin",
  "/v1/%2e%2e%2fadmin",
  "/v1%2f..%2fadmin",
  "/v1/..%5cadmin",
  "/v1/..\\admin",
  "/v1\\..\\admin",
  "/v1/%5c..%5cadmin",
  "/v1//admin",
  "//v1/admin",
  "//admin.example/v1",
  "/v1/%252e%252e/admin",
  "/v1/%25%32%65%25%32%65/admin",
  "/v1/%c0%ae%c0%ae/admin",
  "/v1/%c0%afadmin",
  "/v1/%ff",
  "/v1/..;/admin",
  "/v1/..;x=y/admin",
  "/v1/..%3b/admin",
  "/v1/.;/admin",
  "/v1/%2e%2e;/admin",
  "/v1/\u0000",
  "/v1/%00",
  "/v1/%0d%0ax: y",
  "/v1/%0a",
  "/v1/%7f",
  "/v1/\r\nx: y",
  "/v1/\n",
  "/v1/\tx",
  "/v1/ x",
  "/v1/é",
  "/v1/\uff0e\uff0e/admin",
  "/v1/%",
  "/v1/%2",
  "/v1/%zz",
  "/v1/%u002e%u002e/admin",
  "/v1/#/../admin",
  "/v1/x#y",
  "/v1/%23",
  "/v1/%3f/../admin",
  "/v1?/../../admin",
  "/v1?x=/%2e%2e/admin",
  "/v1?x=a%2f%2e%2e%2fadmin",
  "/v1?x=..%5cadmin",
  "/v1/..%20/admin",
  "/v1/%E2%80%A5/admin",
  "/v1/%E2%80%A4%E2%80%A4/admin",
  "/v1/%EF%BC%8E%EF%BC%8E/admin",
  "/v1/..%EF%BC%8Fadmin",
  "/v1/%EF%BC%852e%EF%BC%852e/admin",
  "/v1?#",
  "http://admin.example/v1",
  "HTTP://admin.example/v1",
  "https:/v1",
  "v1",
  "",
  "?x",
  "@admin.example/v1",
  "/v1/\u202e",
  "/v1/{x}",
  "/v1/<x>",
  '/v1/"x"',
  "/v1/`x`",
  "/v1/x|y",
  "/v1/^",
  `/v1/${"x".repeat(2050)}`,
];

test.each(WALKS)("the path %j goes nowhere", (path) => {
  expect(checkedPath(path)).toBeUndefined();
});

test.each([
  ["/", "/"],
  ["/v1", "/v1"],
  ["/v1/", "/v1/"],
  ["/v1/chat/completions", "/v1/chat/completions"],
  ["/v1/%63hat", "/v1/chat"],
  ["/v1/a%20b", "/v1/a%20b"],
  ["/v1/%c3%a9", "/v1/%C3%A9"],
  ["/v1/...", "/v1/..."],
  ["/v1/.well-known", "/v1/.well-known"],
  ["/v1/a;b=c", "/v1/a;b=c"],
  ["/v1/m:generate", "/v1/m:generate"],
  ["/v1?", "/v1"],
  ["/v1/models?next=a%2Fb%3D&q=50%25", "/v1/models?next=a%2Fb%3D&q=50%25"],
  ["/v1/caf%c3%a9/.well-known/a..b", "/v1/caf%C3%A9/.well-known/a..b"],
  ["/v1/models?limit=3&after=a%20b", "/v1/models?limit=3&after=a%20b"],
])("the path %j is sent as %j", (path, sent) => {
  expect(checkedPath(path)).toBe(sent);
});

test("an allowed path allows what is below it, border by border", () => {
  const allowed = ["/v1", "/v1/", "/v1/chat", "/v1?x=1", "/v1/chat?y=/v2"];
  expect(allowed.map((path) => isBelow(path, "/v1"))).toEqual(allowed.map(() => true));
  const others = ["/v1x", "/v10", "/V1", "/v", "/", "/v1.json", "/admin?/v1", "/v1%20"];
  expect(others.map((path) => isBelow(path, "/v1"))).toEqual(others.map(() => false));
  expect(isBelow("/anything/at/all", "/")).toBe(true);
});

const piece = fc.constantFrom(
  ...[
    "/",
    ".",
    "..",
    "%2e",
    "%2E",
    "%2f",
    "%5c",
    "\\",
    ";",
    "%25",
    "v1",
    "admin",
    "a",
    "?",
    "#",
    "%00",
    "%",
    "é",
    " ",
  ],
);
const written = fc.array(piece, { maxLength: 12 }).map((pieces) => `/v1${pieces.join("")}`);

test("whatever is let through is read alike by a URL parser, once decoded again, and stays below what is allowed", () => {
  fc.assert(
    fc.property(written, (path) => {
      const checked = checkedPath(path);
      if (checked === undefined || !isBelow(checked, "/v1")) return;
      const url = new URL(`http://upstream.example${checked}`);
      expect(url.pathname + url.search).toBe(checked);
      expect(checkedPath(checked)).toBe(checked);
      const decoded = decodeURIComponent(decodeURIComponent(url.pathname));
      expect(new URL(`http://upstream.example${decoded}`).pathname).toMatch(/^\/v1(\/|$)/);
    }),
    { numRuns: 5000 },
  );
});

test("any text is judged without a throw", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (path) => void checkedPath(path)));
});
