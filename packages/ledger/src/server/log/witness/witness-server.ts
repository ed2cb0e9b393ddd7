import { type Clock, reasonOf } from "@darkmatter/core";
import type { Signer, Verifier } from "@darkmatter/identity";
import type { Handler, Wire } from "@darkmatter/net";
import { witnessId } from "@darkmatter/proof";
import {
  createHandler,
  createWindowLimiter,
  largestBody,
  type Refused,
  type Route,
} from "@darkmatter/surface";
import type { Report } from "../../../ports.ts";
import { answer } from "../../json-text.ts";
import { witnessError } from "./errors.ts";
import type { LinesFile } from "./lines-file.ts";
import { openSignedFile } from "./signed-file.ts";
import { createSigning, type Signing } from "./signing.ts";
import { witnessServerRoutes } from "./witness-server.routes.ts";

/** Everything a witness stands on. */
export interface WitnessServerPorts {
  readonly clock: Clock;
  /** The witness's own key. */
  readonly signer: Signer;
  readonly verifier: Verifier;
  /** Keys of the one log it signs for, 64 hex: more than one after a change of keys. */
  readonly logKeys: readonly string[];
  /** Where the log is, without a slash at the end: asked for proofs it does not send along. */
  readonly logUrl: string | undefined;
  readonly wire: Wire;
  /** What it signed. */
  readonly file: LinesFile;
  readonly report: Report;
  /** Believes X-Forwarded-For: only behind a proxy that sets it. */
  readonly trustProxy: boolean;
}

/** Somebody else who sees what a log says of itself, and signs only what follows from what was signed before. */
export interface WitnessServer {
  readonly witnessId: string;
  readonly routes: readonly Route[];
  readonly handler: Handler;
  readonly maxBodyBytes: number;
  /** Reads what was signed before; nothing is served until then. @throws WITNESS_FILE_DAMAGED, WITNESS_OF_ITSELF */
  start(): Promise<void>;
  /** Ends once what is under way is on disk. */
  stop(): Promise<void>;
}

export function createWitnessServer(ports: WitnessServerPorts): WitnessServer {
  const { clock, signer, verifier, file, report, logKeys } = ports;
  let signing: Signing | undefined;
  const started = () => {
    if (!signing) throw new Error("The witness was not started.");
    return signing;
  };
  const limiter = createWindowLimiter({ clock });
  const routes = witnessServerRoutes({ ports, started, limiter });
  const handler = createHandler(routes, {
    onError: ({ method, route, error }) => report("route.failed", { method, route, reason: reasonOf(error) }),
    refuse: ({ status, code, message, hint, allow }: Refused) =>
      answer(status, { error: message, code, hint }, allow === undefined ? {} : { allow }),
  });

  return {
    witnessId: witnessId(signer.agentId),
    routes,
    handler,
    maxBodyBytes: largestBody(routes),
    async start() {
      if (logKeys.includes(signer.agentId)) throw witnessError("WITNESS_OF_ITSELF");
      const onTorn = () => report("witness.torn_line", {});
      signing = createSigning(ports, await openSignedFile(file, signer.agentId, verifier, onTorn));
    },
    async stop() {
      await signing?.idle();
      await file.close();
    },
  };
}
