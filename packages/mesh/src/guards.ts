import { hasCode } from "@darkmatter/core";
import { type Guard, localOnly, refusal } from "@darkmatter/surface";
import type { Services } from "./services.ts";

/** Only programs of this machine: inbox, acceptance, configuration (mesh.md S3). */
export const local = (): Guard => localOnly();

/** Counts a request against the limit over all; 429 beyond it. */
export function globalRate({ limits }: Pick<Services, "limits">): Guard {
  return () => {
    try {
      limits.takeGlobal();
      return undefined;
    } catch (error) {
      if (hasCode(error, "TOO_MANY")) return refusal(429, error.message);
      throw error;
    }
  };
}
