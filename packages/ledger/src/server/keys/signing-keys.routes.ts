import type { Route } from "@darkmatter/surface";
import { z } from "zod";
import { millisecondsTime } from "../../times.ts";
import type { Ways } from "../callers.ts";
import { inputOf, StorableText } from "../input.ts";
import { answer } from "../json-text.ts";
import type { LedgerServerPorts } from "../ports.ts";
import { base64UrlOf, KeyId, keyOfBase64Url } from "./admission.ts";
import { type SigningKey, signingKeysOf } from "./signing-keys.store.ts";
import { registerSigningKey, revokeSigningKey } from "./signing-keys.ts";

const DESCRIPTION_CHARACTERS_MAX = 200;

const Registration = z.object({
  key_id: KeyId,
  public_key: z.string().describe("32 bytes, unpadded base64url"),
  algorithm: z
    .string()
    .regex(/^ed25519$/i, "is Ed25519")
    .nullish(),
  description: StorableText.max(DESCRIPTION_CHARACTERS_MAX).nullish(),
});

const KeyView = z.object({
  key_id: z.string(),
  algorithm: z.literal("Ed25519"),
  status: z.enum(["active", "revoked"]),
  description: z.string().nullable(),
  created_at: z.string(),
  revoked_at: z.string().nullable(),
  public_key: z.string(),
});

const viewOf = (key: SigningKey) => ({
  key_id: key.keyId,
  algorithm: "Ed25519",
  status: key.status,
  description: key.description,
  created_at: millisecondsTime(key.createdMs),
  revoked_at: key.revokedMs === null ? null : millisecondsTime(key.revokedMs),
  public_key: base64UrlOf(key.publicKey),
});

/** Any admissible key: the RFC 8032 7.1 test 1. */
const EXAMPLE_KEY = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

export function signingKeyRoutes({ db, clock }: LedgerServerPorts, ways: Ways): Route[] {
  return [
    ways.byEither({
      method: "POST",
      path: "/api/signing-keys",
      summary: "Registers a key that attestations are signed with",
      body: "json",
      contract: {
        tag: "keys",
        request: Registration,
        answers: {
          200: { says: "it was registered already", schema: KeyView },
          201: { says: "it is registered", schema: KeyView },
          400: { says: "it is no key that may be used" },
          409: { says: "the id names another key, or the key was revoked" },
        },
        examples: [
          { name: "a new key", body: { key_id: "laptop", public_key: EXAMPLE_KEY }, status: 201 },
          { name: "no key at all", body: { key_id: "laptop-2", public_key: "AAAA" }, status: 400 },
        ],
      },
      async handle({ json }, { account }) {
        const wanted = inputOf(Registration, json);
        const publicKey = keyOfBase64Url(wanted.public_key);
        const description = wanted.description ?? null;
        const { key, isNew } = await db.write((tx) =>
          registerSigningKey(tx, clock, account, { keyId: wanted.key_id, publicKey, description }),
        );
        return answer(isNew ? 201 : 200, viewOf(key));
      },
    }),
    ways.byEither({
      method: "GET",
      path: "/api/signing-keys",
      summary: "Lists the signing keys of the account",
      contract: {
        tag: "keys",
        answers: { 200: { says: "all of them, oldest first", schema: z.object({ keys: z.array(KeyView) }) } },
        examples: [{ name: "all", status: 200 }],
      },
      handle: async (_request, { account }) =>
        answer(200, { keys: (await signingKeysOf(db, account)).map(viewOf) }),
    }),
    ways.byEither({
      method: "DELETE",
      path: "/api/signing-keys/:keyId",
      summary: "Revokes a signing key; its id never names a key again",
      contract: {
        tag: "keys",
        answers: {
          200: {
            says: "it is revoked",
            schema: z.object({ key_id: z.string(), status: z.literal("revoked"), revoked_at: z.string() }),
          },
          404: { says: "the account has no such key" },
        },
        examples: [
          { name: "one of the account's", params: { keyId: "{signingKey}" }, status: 200 },
          { name: "none of the account's", params: { keyId: "unknown" }, status: 404 },
        ],
      },
      async handle({ params }, { account }) {
        const keyId = params.keyId ?? "";
        const revokedMs = await db.write((tx) => revokeSigningKey(tx, clock, account, keyId));
        return answer(200, { key_id: keyId, status: "revoked", revoked_at: millisecondsTime(revokedMs) });
      },
    }),
  ];
}
