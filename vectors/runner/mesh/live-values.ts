import { isJsonObject, type Json } from "@darkmatter/core";
import { challengeText, createSigner, signText } from "@darkmatter/identity";
import { replaced } from "../expand.ts";
import type { Play, Request, Step } from "./scenario.ts";

/** The request with generated values replaced by the live ones; a proof of a challenge is made anew by its signer. */
export function liveRequest(request: Request, state: Play): Request {
  const live = replaced(request as unknown as Json, state.live) as unknown as Request;
  const proof = request.body?.proof_hex;
  if (!live.body || typeof proof !== "string") return live;
  return { ...live, body: { ...live.body, proof_hex: liveProof(proof, state) } };
}

function liveProof(proof: string, { challenges, peers }: Play): string {
  for (const [recorded, live] of challenges) {
    for (const { private_key_hex: key } of Object.values(peers)) {
      const signer = createSigner(key);
      // Ed25519 is deterministic: whoever makes these bytes made them.
      if (signText(signer, challengeText(recorded)) === proof) return signText(signer, challengeText(live));
    }
  }
  return proof;
}

/** Keeps what the node generated in place of what the file holds. */
export function learn(step: Step, answer: Json | undefined, { live, challenges }: Play): void {
  const { body, match_regex: patterns = {} } = step.response;
  if (!isJsonObject(answer) || !isJsonObject(body)) return;
  for (const key of Object.keys(patterns)) {
    const [recorded, actual] = [body[key], answer[key]];
    if (typeof recorded !== "string" || typeof actual !== "string") continue;
    live.set(recorded, actual);
    if (key === "challenge_hex") challenges.set(recorded, actual);
  }
}
