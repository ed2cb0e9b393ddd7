import type { Json, JsonObject } from "@darkmatter/core";
import * as answers from "./answers.ts";
import { type CallPorts, createCalls, type Query } from "./calls.ts";

/** A ledger server's API, as far as commands use it (ledger.md 3). Everything throws what `clientError` lists. */
export type LedgerClient = ReturnType<typeof createLedgerClient>;

export function createLedgerClient(ports: CallPorts) {
  const { bytesOf, call, hasAskedToWrite } = createCalls(ports);
  const id = encodeURIComponent;
  const json = (value: JsonObject | Readonly<Record<string, Json | undefined>>) => JSON.stringify(value);

  return {
    host: ports.host,
    hasAskedToWrite,
    me: () => call(answers.Me, { path: "/api/me" }),
    search: (query: Query, isPatient = false) =>
      call(answers.SearchPage, { path: "/api/search", query, isPatient }),
    pull: (query: Query) => call(answers.Pulled, { path: "/api/pull", query }),
    replay: (commit: string, query: Query = {}) =>
      call(answers.Replayed, { path: `/api/replay/${id(commit)}`, query, isLong: true }),
    verify: (commit: string) => call(answers.Verified, { path: `/api/verify/${id(commit)}`, isLong: true }),
    lineage: (commit: string) => call(answers.Lineage, { path: `/api/lineage/${id(commit)}`, isLong: true }),
    diff: (a: string, b: string) =>
      call(answers.Diffed, { path: `/api/diff/${id(a)}/${id(b)}`, isLong: true }),
    /** The export's bytes, as the server wrote them. */
    exported: (commit: string, isPatient = false) =>
      bytesOf({ path: `/api/export/${id(commit)}`, isPatient, isLong: true }),
    /** @param body the text of a commit's request */
    commit: (body: string, idempotencyKey?: string) =>
      call(answers.Committed, {
        path: "/api/commit",
        body,
        ...(idempotencyKey !== undefined && {
          headers: { "idempotency-key": idempotencyKey },
          isPatient: true,
        }),
      }),
    fork: (commit: string, body: Readonly<Record<string, Json | undefined>>) =>
      call(answers.Forked, { path: `/api/fork/${id(commit)}`, body: json(body) }),
    share: (commit: string, body: Readonly<Record<string, Json | undefined>>) =>
      call(answers.Shared, { path: `/api/share/${id(commit)}`, body: json(body) }),
    shares: () => call(answers.Shares, { path: "/api/shares" }),
    revokeShare: (share: string) =>
      call(answers.Anything, { method: "DELETE", path: `/api/share/${id(share)}` }),
    registerKey: (body: JsonObject) =>
      call(answers.SigningKey, { path: "/api/signing-keys", body: json(body) }),
    signingKeys: () => call(answers.SigningKeys, { path: "/api/signing-keys" }),
    revokeKey: (keyId: string) =>
      call(answers.SigningKey, { method: "DELETE", path: `/api/signing-keys/${id(keyId)}` }),
    registerAgent: (body: JsonObject) =>
      call(answers.MadeAgent, { path: "/api/agents/register", body: json(body) }),
    provision: (body: JsonObject) =>
      call(answers.MadeAgent, {
        path: "/api/provision",
        body: json(body),
        isAnonymous: true,
        refusals: { 409: "EMAIL_KNOWN" },
      }),
  };
}
