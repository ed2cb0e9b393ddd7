import { canon1OfText, sha256Hex, utf8 } from "@darkmatter/core";
import { expect, test } from "vitest";
import { readCommitRequest } from "./commit-request.ts";

const LIMITS = { payloadBytes: 10_000_000, payloadValues: 50_000 };

function read(body: string) {
  return readCommitRequest({ path: "/api/commit", headers: {}, body: utf8(body) }, LIMITS);
}

/** So many levels. */
const nested = (levels: number) => `${'{"b":'.repeat(levels)}1.50${"}".repeat(levels)}`;

test("a legacy context is hashed as the output of a payload, which may be as deep as any", () => {
  for (const context of ['"text"', '{"b":1e2,"a":[1.50]}', nested(255)]) {
    const text = `{"output":${context}}`;
    expect(read(`{"context":${context}}`).payload).toEqual({ text, hash: sha256Hex(canon1OfText(text)) });
  }
  for (const body of [`{"context":${nested(256)}}`, `{"payload":${nested(257)}}`])
    expect(() => read(body)).toThrow(expect.objectContaining({ code: "too_deep" }));
  expect(read(`{"payload":${nested(256)}}`).payload.text).toBe(nested(256));
});

test("a payload that is no object is refused by its name", () => {
  for (const payload of ['"text"', "[{}]", "7", "true"])
    expect(() => read(`{"payload":${payload}}`)).toThrow(
      expect.objectContaining({ code: "not_an_object", message: expect.stringContaining("`payload`") }),
    );
});

test("an agent is told by three texts, whatever else it holds", () => {
  const agentOf = (agent: string) => read(`{"payload":{},"agent":${agent}}`).agent;
  const nobody = { role: null, provider: null, model: null };
  expect(agentOf('{"r\\u006fle":"a \\"b\\"","model":null,"__proto__":{"provider":"x"},"n":[1e3]}')).toEqual({
    ...nobody,
    role: 'a "b"',
  });
  expect(read('{"payload":{}}').agent).toEqual(nobody);
  for (const agent of ['{"role":1}', '{"role":{}}', '{"model":true}', '{"model":"a\\nb"}', '"x"'])
    expect(() => agentOf(agent)).toThrow(expect.objectContaining({ code: "invalid_request" }));
});

test("what a commit is linked to may be named as answers name it", () => {
  const names = {
    parent_id: "ctx_1",
    trace_id: "trc_1",
    branch_key: "main",
    event_type: "override",
    to_agent_id: "dm_1",
  };
  const linked = { parentId: "ctx_1", trace: "trc_1", branch: "main", event: "override", to: "dm_1" };
  expect(read(JSON.stringify({ payload: {}, ...names }))).toMatchObject(linked);
  expect(read(JSON.stringify({ payload: {}, ...names, parentId: "ctx_2" })).parentId).toBe("ctx_2");
  expect(() => read('{"payload":{},"parent_id":7}')).toThrow(
    expect.objectContaining({ code: "invalid_request" }),
  );
});
