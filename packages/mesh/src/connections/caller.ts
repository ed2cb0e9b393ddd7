import { isLoopbackUrl } from "@darkmatter/net";
import { meshError } from "../errors.ts";

/** Where a request came from, as the socket saw it. */
export interface Caller {
  readonly loopback: boolean;
  /** The caller is this machine or one on a private network, and no proxy stands between. */
  readonly local: boolean;
}

/** A loopback URL means another machine to whoever is told it: never believed from elsewhere (mesh.md 20). */
export function refuseForeignLoopback(url: string, callerIsLocal: boolean): void {
  if (isLoopbackUrl(url) && !callerIsLocal) {
    throw meshError(
      "BAD_REQUEST",
      "A loopback URL cannot be reached from here: send the address others reach you at.",
    );
  }
}
