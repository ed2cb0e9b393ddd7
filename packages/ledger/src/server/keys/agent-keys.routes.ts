import { parseTime } from "@darkmatter/core";
import { spkiPem } from "@darkmatter/proof";
import type { Route } from "@darkmatter/surface";
import { z } from "zod";
import { millisecondsTime } from "../../times.ts";
import type { Ways } from "../callers.ts";
import { serverError } from "../errors.ts";
import { inputOf, queryOf, StorableText } from "../input.ts";
import { answer } from "../json-text.ts";
import type { LedgerServerPorts } from "../ports.ts";
import { KeyId, keyOfAnyPem } from "./admission.ts";
import { type AgentKey, keyInForce, statusAt, validUntilMs } from "./agent-key.ts";
import { type AgentKeyEvent, agentKeyEventsOf, agentKeysOf } from "./agent-keys.store.ts";
import { type AgentKeys, createAgentKeys } from "./agent-keys.ts";

const REASON_CHARACTERS_MAX = 500;

const Time = z.string().refine((text) => parseTime(text) !== undefined, "is ISO 8601 with an offset");
const Pem = z.string().max(1000).describe("SPKI PEM");
const Reason = StorableText.max(REASON_CHARACTERS_MAX);

const Registration = z.object({
  publicKey: Pem,
  keyId: KeyId.nullish(),
  validUntil: Time.nullish(),
});
const Rotation = z.object({
  currentKeyId: KeyId,
  newPublicKey: Pem,
  newKeyId: KeyId,
  reason: Reason.nullish(),
});
const Revocation = z.object({ keyId: KeyId, reason: Reason.min(1) });
const KeyQuery = z.object({ at: Time.optional(), key_id: KeyId.optional() });

/** Any admissible key: the RFC 8032 7.1 tests 2 and 3. */
const EXAMPLE_PEM = spkiPem("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
const EXAMPLE_NEXT_PEM = spkiPem("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025");

const timeOrNull = (ms: number | null) => (ms === null ? null : millisecondsTime(ms));
const msOf = (time: string | null | undefined) =>
  typeof time === "string" ? Math.floor(parseTime(time) ?? 0) : null;

const viewOf = (key: AgentKey, nowMs: number) => ({
  key_id: key.keyId,
  key_version: key.version,
  public_key_pem: spkiPem(key.publicKey),
  status: statusAt(key, nowMs),
  valid_from: millisecondsTime(key.validFromMs),
  valid_until: timeOrNull(validUntilMs(key)),
  revoked_at: timeOrNull(key.revokedMs),
  revocation_reason: key.revocationReason,
});

const eventView = (event: AgentKeyEvent) => ({
  event: event.kind,
  key_id: event.keyId,
  new_key_id: event.newKeyId,
  reason: event.reason,
  at: millisecondsTime(event.atMs),
});

interface Parts extends Pick<LedgerServerPorts, "db" | "clock"> {
  readonly keys: AgentKeys;
}

export function agentKeyRoutes({ db, clock }: LedgerServerPorts, ways: Ways): Route[] {
  const parts: Parts = { db, clock, keys: createAgentKeys(clock) };
  return [
    register(ways, parts),
    rotate(ways, parts),
    revoke(ways, parts),
    list(ways, parts),
    keyOfAgent(ways, parts),
  ];
}

function register(ways: Ways, { db, keys: agentKeys }: Parts): Route {
  return ways.byKey({
    method: "POST",
    path: "/api/agents/keys",
    summary: "Registers a key that this agent signs its envelopes with",
    body: "json",
    contract: {
      tag: "keys",
      request: Registration,
      answers: {
        200: {
          says: "it is registered",
          schema: z.object({
            agent_id: z.string(),
            key_id: z.string(),
            key_version: z.int(),
            registered_at: z.string(),
          }),
        },
        400: { says: "it is no key that may be used, or id or key are known already" },
      },
      examples: [
        { name: "a key", body: { publicKey: EXAMPLE_PEM, keyId: "first" }, status: 200 },
        { name: "no PEM", body: { publicKey: "AAAA", keyId: "other" }, status: 400 },
      ],
    },
    async handle({ json }, { agentId }) {
      const wanted = inputOf(Registration, json);
      const keyId = wanted.keyId ?? "default";
      const key = {
        keyId,
        publicKey: keyOfAnyPem(wanted.publicKey),
        validUntilMs: msOf(wanted.validUntil),
      };
      const { version, atMs } = await db.write((tx) => agentKeys.register(tx, agentId, key));
      return answer(200, {
        agent_id: agentId,
        key_id: keyId,
        key_version: version,
        registered_at: millisecondsTime(atMs),
      });
    },
  });
}

function rotate(ways: Ways, { db, keys: agentKeys }: Parts): Route {
  return ways.byKey({
    method: "POST",
    path: "/api/agents/keys/rotate",
    summary: "Puts a new key in an active one's place; the old one still verifies what it signed",
    body: "json",
    contract: {
      tag: "keys",
      request: Rotation,
      answers: {
        200: {
          says: "the new key is in force",
          schema: z.object({
            old_key_id: z.string(),
            new_key_id: z.string(),
            key_version: z.int(),
            rotated_at: z.string(),
          }),
        },
        400: { says: "the key is not active, or the new one's id or bytes are known already" },
        404: { says: "the agent has no such key" },
      },
      examples: [
        {
          name: "a new key",
          body: {
            currentKeyId: "{agentKey}",
            newKeyId: "next",
            newPublicKey: EXAMPLE_NEXT_PEM,
            reason: "yearly",
          },
          status: 200,
        },
        {
          name: "to the same id",
          body: { currentKeyId: "{agentKey}", newKeyId: "{agentKey}", newPublicKey: EXAMPLE_NEXT_PEM },
          status: 400,
        },
      ],
    },
    async handle({ json }, { agentId }) {
      const { currentKeyId, newKeyId, newPublicKey, reason } = inputOf(Rotation, json);
      const next = { keyId: newKeyId, publicKey: keyOfAnyPem(newPublicKey) };
      const { version, atMs } = await db.write((tx) =>
        agentKeys.rotate(tx, agentId, currentKeyId, next, reason ?? null),
      );
      return answer(200, {
        old_key_id: currentKeyId,
        new_key_id: newKeyId,
        key_version: version,
        rotated_at: millisecondsTime(atMs),
      });
    },
  });
}

function revoke(ways: Ways, { db, keys: agentKeys }: Parts): Route {
  return ways.byKey({
    method: "POST",
    path: "/api/agents/keys/revoke",
    summary: "Revokes a key of this agent, and says why",
    body: "json",
    contract: {
      tag: "keys",
      request: Revocation,
      answers: {
        200: {
          says: "it is revoked",
          schema: z.object({ key_id: z.string(), revoked_at: z.string(), reason: z.string() }),
        },
        404: { says: "the agent has no such key" },
      },
      examples: [
        { name: "a lost key", body: { keyId: "{agentKey}", reason: "laptop stolen" }, status: 200 },
        { name: "without a reason", body: { keyId: "{agentKey}" }, status: 400 },
      ],
    },
    async handle({ json }, { agentId }) {
      const { keyId, reason } = inputOf(Revocation, json);
      const revoked = await db.write((tx) => agentKeys.revoke(tx, agentId, keyId, reason));
      return answer(200, {
        key_id: keyId,
        revoked_at: millisecondsTime(revoked.atMs),
        reason: revoked.reason,
      });
    },
  });
}

function list(ways: Ways, { db, clock }: Parts): Route {
  return ways.byKey({
    method: "GET",
    path: "/api/agents/keys",
    summary: "Lists the keys of this agent and what happened to them",
    contract: {
      tag: "keys",
      answers: { 200: { says: "keys and events, oldest first" } },
      examples: [{ name: "all", status: 200 }],
    },
    async handle(_request, { agentId }) {
      const [keys, events] = [await agentKeysOf(db, agentId), await agentKeyEventsOf(db, agentId)];
      const nowMs = clock.now();
      return answer(200, {
        agent_id: agentId,
        keys: keys.map((key) => viewOf(key, nowMs)),
        events: events.map(eventView),
      });
    },
  });
}

function keyOfAgent(ways: Ways, { db, clock }: Parts): Route {
  return ways.byAnyone({
    method: "GET",
    path: "/api/agents/:id/pubkey",
    summary: "Says which key an agent signed with at a time, and what became of it",
    contract: {
      tag: "keys",
      query: KeyQuery,
      answers: {
        200: { says: "the key" },
        404: { says: "no agent with this id has such a key" },
      },
      examples: [
        { name: "the key in force", params: { id: "{agent}" }, status: 200 },
        { name: "one by its id", params: { id: "{agent}" }, query: { key_id: "{agentKey}" }, status: 200 },
        { name: "an agent without keys", params: { id: "dm_0000000000000000" }, status: 404 },
      ],
    },
    async handle({ params, search }) {
      const { at, key_id } = queryOf(KeyQuery, search);
      const nowMs = clock.now();
      const atMs = msOf(at) ?? nowMs;
      const agent = params.id ?? "";
      const keys = await agentKeysOf(db, agent);
      const key = key_id === undefined ? keyInForce(keys, atMs) : keys.find((one) => one.keyId === key_id);
      if (!key) throw serverError("not_found", "No agent with this id has such a key.");
      const { status, ...view } = viewOf(key, nowMs);
      return answer(200, {
        agent_id: agent,
        ...view,
        status_at_commit_time: statusAt(key, atMs),
        is_revoked_now: status === "revoked",
      });
    },
  });
}
