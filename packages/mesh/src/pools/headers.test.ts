import { expect, test } from "vitest";
import { consumerHeaders, isCredentialHeader, readHeaders, upstreamHeaders } from "./headers.ts";

const KEY = { header: "Authorization", value: "Bearer secret" };
const through = (given: Record<string, string>, credential = KEY) => {
  const read = readHeaders(given);
  return read && upstreamHeaders(read, credential);
};
const OURS = { "accept-encoding": "identity", authorization: "Bearer secret" };

test.each(["authorization", "AUTHORIZATION", "AuthoriZation"])(
  "a consumer's %s gives way to the owner's credential",
  (name) => {
    expect(through({ [name]: "Bearer mine" })).toEqual(OURS);
  },
);

test.each(["X-Api-Key", "x-api-key", "X_Api_Key", "x_api-key"])(
  "%s is the credential header X-API-Key",
  (name) => {
    const key = { header: "X-API-Key", value: "k" };
    expect(through({ [name]: "mine" }, key)).toEqual({ "accept-encoding": "identity", "x-api-key": "k" });
  },
);

test.each([
  "Host",
  "Content-Length",
  "Content_Length",
  "Transfer-Encoding",
  "transfer_encoding",
  "Connection",
  "Keep-Alive",
  "TE",
  "Trailer",
  "Upgrade",
  "Expect",
  "Proxy-Authorization",
  "Proxy-Connection",
  "X-Forwarded-For",
  "Forwarded",
  "X-Original-URL",
  "X-Rewrite-URL",
  "X-HTTP-Method-Override",
  "Accept-Encoding",
])("%s does not travel on", (name) => {
  expect(through({ [name]: "x", accept: "a" })).toEqual({ ...OURS, accept: "a" });
});

test("what Connection names does not travel on either, nor can it take the credential away", () => {
  expect(through({ Connection: "close, X-Secret , authorization", "x-secret": "1", X_Secret: "2" })).toEqual(
    OURS,
  );
});

test.each([
  { "a b": "x" },
  { "authorization ": "x" },
  { "": "x" },
  { "a:b": "x" },
  { "a\r\nb": "x" },
  { a: "x\r\ny: z" },
  { a: "x\ny" },
  { a: "x\u0000" },
  { a: "é" },
  { a: 1 },
  { a: ["x"] },
  { a: null },
  { a: "x".repeat(20_000) },
  Object.fromEntries(Array.from({ length: 65 }, (_, at) => [`h${at}`, "x"])),
  [],
  "a: b",
])("headers such as case %# are refused", (given) => {
  expect(readHeaders(given as never)).toBeUndefined();
});

test("an answer keeps neither hop-by-hop headers, cookies, encodings nor the credential", () => {
  const answer = {
    "content-type": "application/json",
    "content-length": "9",
    "transfer-encoding": "chunked",
    connection: "keep-alive, x-hop",
    "x-hop": "1",
    "keep-alive": "timeout=5",
    "content-encoding": "gzip",
    "set-cookie": "session=owner",
    "x-echo": "you sent Bearer secret",
  };
  expect(consumerHeaders(answer, KEY.value)).toEqual({
    "content-type": "application/json",
    "content-length": "9",
  });
});

test("a credential is carried only by a header that reaches the provider", () => {
  expect(["Authorization", "x-api-key", "api-key"].every(isCredentialHeader)).toBe(true);
  expect(["Host", "Connection", "a b", "", "proxy-authorization"].some(isCredentialHeader)).toBe(false);
});
