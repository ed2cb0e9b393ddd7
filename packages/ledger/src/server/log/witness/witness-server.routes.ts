import { type SignedCheckpoint, spkiPem, witnessId } from "@darkmatter/proof";
import type { Answer, Route, WindowLimiter } from "@darkmatter/surface";
import { addressOf } from "../../callers.ts";
import { answer } from "../../json-text.ts";
import { witnessError } from "./errors.ts";
import { signRequestOf } from "./request.ts";
import type { SignedLine } from "./signed-file.ts";
import type { Signing, SigningRefusal } from "./signing.ts";
import type { WitnessServerPorts } from "./witness-server.ts";

/** A checkpoint is below 1 KiB, its longest consistency proof below 8. */
const REQUEST_BYTES_MAX = 32 * 1024;
/** Of one address, a minute (ledger.md 2.10). A log that behaves asks six times. */
const REQUESTS_PER_MINUTE = 10;

export interface WitnessServerParts {
  readonly ports: WitnessServerPorts;
  readonly started: () => Signing;
  readonly limiter: WindowLimiter;
}

export function witnessServerRoutes({ ports, started, limiter }: WitnessServerParts): Route[] {
  const { signer, logKeys, trustProxy } = ports;
  const id = witnessId(signer.agentId);
  return [
    {
      method: "POST",
      path: "/witness",
      summary: "Signs a checkpoint of the log, when it follows from the one signed last",
      guards: [],
      body: "json",
      maxBytes: REQUEST_BYTES_MAX,
      async handle(request) {
        if (!limiter.take(addressOf(request, trustProxy), REQUESTS_PER_MINUTE))
          throw witnessError("rate_limited");
        const asked = signRequestOf(request.json);
        if (!asked) throw witnessError("invalid_request");
        const verdict = await started().sign(asked);
        if (verdict.kind === "refused") return refusal(verdict.code, verdict.last?.checkpoint);
        return answer(200, testimony(id, verdict.line, verdict.isAgain));
      },
    },
    {
      method: "GET",
      path: "/witness",
      summary: "Who it is, whose log it signs, and what it signed last",
      guards: [],
      body: "none",
      async handle() {
        const { last, count } = started();
        return answer(200, {
          witness_id: id,
          public_key_pem: spkiPem(signer.agentId),
          log_keys: logKeys.map((key) => spkiPem(key)),
          signed: count,
          last: last ? testimony(id, last, false) : null,
        });
      },
    },
    {
      method: "GET",
      path: "/healthz",
      summary: "Says that the process answers",
      guards: [],
      body: "none",
      handle: async () => answer(200, { ok: true }),
    },
  ];
}

function testimony(id: string, { checkpoint, witnessSig, witnessedAt }: SignedLine, isAgain: boolean) {
  return {
    witness_id: id,
    checkpoint_id: checkpoint.checkpoint_id,
    tree_root: checkpoint.tree_root,
    tree_size: checkpoint.tree_size,
    witness_sig: witnessSig,
    witnessed_at: witnessedAt,
    error: isAgain ? "already_signed" : undefined,
  };
}

function refusal(code: SigningRefusal, previous: SignedCheckpoint | undefined): Answer {
  const { status, message, hint } = witnessError(code);
  return answer(status, {
    error: message,
    code,
    hint,
    last_size: previous?.tree_size,
    last_position: previous?.log_position,
    previous: previous && { ...previous },
  });
}
