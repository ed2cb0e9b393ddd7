import { checkpointText, spkiPem, witnessId } from "@darkmatter/proof";
import type { Route } from "@darkmatter/surface";
import { z } from "zod";
import { checkpointById } from "../../checkpoints/checkpoints.store.ts";
import { millisecondsTime } from "../../times.ts";
import type { Ways } from "../callers.ts";
import { serverError } from "../errors.ts";
import { inputOf, StorableText } from "../input.ts";
import { answer } from "../json-text.ts";
import { keyOfAnyPem } from "../keys/admission.ts";
import type { LedgerServerPorts } from "../ports.ts";
import { allWitnesses, putWitness, witnessById } from "./log.store.ts";
import type { ServerLog } from "./server-log.ts";

/** Each is asked after each checkpoint. */
const WITNESSES_MAX = 100;

const Registration = z.object({
  name: z.string().regex(/^[A-Za-z0-9 _.·:-]{1,100}$/, "is 1 to 100 of A-Z a-z 0-9 blank _ . : -"),
  publicKey: z.string().max(1000).describe("Ed25519, SPKI PEM"),
  endpointUrl: z
    .url({ protocol: /^https?$/ })
    .max(2048)
    .nullish()
    .describe("where it is asked; without it the witness signs by itself"),
});

const Testimony = z.object({
  checkpoint_id: StorableText.max(64),
  witness_sig: z.string().max(256).describe("hex, over the checkpoint's canonical text"),
  witnessed_at: z.string().max(64).optional(),
});

export function logWitnessRoutes(ports: LedgerServerPorts, ways: Ways, server: ServerLog): Route[] {
  return [
    ...readRoutes(ports, ways, server),
    signRoute(ports, ways, server),
    registerRoute(ports, ways, server),
  ];
}

function readRoutes({ db, verifier }: LedgerServerPorts, ways: Ways, { checkpoints }: ServerLog): Route[] {
  return [
    ways.byAnyone({
      method: "GET",
      path: "/api/witnesses",
      summary: "Who witnesses this log",
      contract: {
        tag: "witnesses",
        answers: { 200: { says: "the registered witnesses" } },
        examples: [{ name: "all", status: 200 }],
      },
      async handle() {
        const witnesses = (await allWitnesses(db)).map((one) => ({
          witness_id: one.witnessId,
          name: one.name,
          registered_at: millisecondsTime(one.registeredMs),
        }));
        return answer(200, { witnesses, count: witnesses.length });
      },
    }),
    ways.byAnyone({
      method: "GET",
      path: "/api/witnesses/:id/pubkey",
      summary: "A witness's key",
      contract: {
        tag: "witnesses",
        answers: { 200: { says: "the key as PEM" }, 404: { says: "there is no such witness" } },
        examples: [
          { name: "of a witness", params: { id: "{witness}" }, status: 200 },
          { name: "of none", params: { id: "wit_0000000000000000" }, status: 404 },
        ],
      },
      async handle({ params }) {
        const witness = await witnessById(db, params.id ?? "");
        if (!witness) throw serverError("not_found", "There is no such witness.");
        return {
          status: 200,
          headers: { "content-type": "application/x-pem-file" },
          body: spkiPem(witness.publicKey),
        };
      },
    }),
    ways.byAnyone({
      method: "GET",
      path: "/api/log/checkpoint/:id/witnesses",
      summary: "Who else signed a checkpoint",
      contract: {
        tag: "witnesses",
        answers: {
          200: { says: "each signature, checked anew" },
          404: { says: "there is no such checkpoint" },
        },
        examples: [
          { name: "of a checkpoint", params: { id: "{checkpoint}" }, status: 200 },
          { name: "of no checkpoint", params: { id: "cp_1_00000000" }, status: 404 },
        ],
      },
      async handle({ params }) {
        const checkpoint = await checkpointById(db, params.id ?? "");
        if (!checkpoint) throw serverError("not_found", "There is no such checkpoint.");
        const text = checkpointText(checkpoint);
        const signatures = await checkpoints.witnessSignatures(db, checkpoint.checkpoint_id);
        const witnesses = await Promise.all(
          signatures.map(async (one) => ({
            witness_id: one.witnessId,
            name: one.name,
            witness_sig: one.signature,
            witnessed_at: one.witnessedAt,
            sig_valid: await verifier.verify(one.agentId, text, one.signature),
            public_key_pem: spkiPem(one.agentId),
          })),
        );
        const witness_count = witnesses.filter(({ sig_valid }) => sig_valid).length;
        return answer(200, { checkpoint_id: checkpoint.checkpoint_id, witness_count, witnesses });
      },
    }),
  ];
}

function signRoute({ db }: LedgerServerPorts, ways: Ways, { keepSignature }: ServerLog): Route {
  return ways.byAnyone({
    method: "POST",
    path: "/api/witness/sign",
    summary: "A registered witness hands in its signature of a checkpoint; its id comes in X-Witness-ID",
    body: "json",
    maxBytes: 4096,
    contract: {
      tag: "witnesses",
      request: Testimony,
      answers: {
        200: { says: "it is valid and stored" },
        400: { says: "it is not this witness's signature of that checkpoint" },
        401: { says: "no such witness is registered" },
        404: { says: "there is no such checkpoint" },
        409: { says: "another signature of this witness is stored already" },
      },
      examples: [
        { name: "of nobody", body: { checkpoint_id: "cp_1_00000000", witness_sig: "00" }, status: 401 },
      ],
    },
    async handle({ json, headers }) {
      const body = inputOf(Testimony, json);
      const witness = await witnessById(db, headers["x-witness-id"] ?? "");
      if (!witness) throw serverError("unauthorized", "X-Witness-ID names no registered witness.");
      const checkpoint = await checkpointById(db, body.checkpoint_id);
      if (!checkpoint) throw serverError("not_found", "There is no such checkpoint.");
      const kept = await keepSignature(witness, checkpoint, {
        signature: body.witness_sig,
        witnessedAt: body.witnessed_at,
      });
      if (kept === "invalid")
        throw serverError("signature_invalid", "That is not the witness's signature of this checkpoint.");
      if (kept === "different") throw serverError("witness_signed");
      return answer(200, {
        checkpoint_id: checkpoint.checkpoint_id,
        witness_id: witness.witnessId,
        stored: true,
        sig_valid: true,
      });
    },
  });
}

function registerRoute({ db, clock }: LedgerServerPorts, ways: Ways, { keys }: ServerLog): Route {
  return ways.byAdmin({
    method: "POST",
    path: "/api/admin/witnesses",
    summary: "Registers a witness, or changes a registered one's name and endpoint",
    body: "json",
    contract: {
      tag: "witnesses",
      request: Registration,
      answers: {
        200: { says: "it is registered" },
        400: { says: "the key is no key, or the log's own" },
        401: { says: "not an operator" },
      },
      examples: [{ name: "no key", body: { name: "auditor", publicKey: "AAAA" }, status: 400 }],
    },
    async handle({ json }) {
      const { name, publicKey, endpointUrl } = inputOf(Registration, json);
      const key = keyOfAnyPem(publicKey);
      // Its signature and the log's are over the same bytes: it would vouch for itself.
      const isOwn = key === keys.current || keys.former.some((former) => former.publicKey === key);
      if (isOwn) throw serverError("key_invalid", "The log's own key cannot be its witness.");
      const witness = {
        witnessId: witnessId(key),
        publicKey: key,
        name,
        endpoint: endpointUrl ?? null,
        registeredMs: clock.now(),
      };
      await db.write(async (tx) => {
        const known = await allWitnesses(tx);
        if (known.length >= WITNESSES_MAX && !known.some((one) => one.witnessId === witness.witnessId))
          throw serverError("invalid_request", `A log has at most ${WITNESSES_MAX} witnesses.`);
        await putWitness(tx, witness);
      });
      return answer(200, { witness_id: witness.witnessId, name, registered: true });
    },
  });
}
