import { MINUTE_MS } from "@darkmatter/core";
import type { Job } from "@darkmatter/surface";
import type { Services } from "../services.ts";

export function delegationJobs({ delegations }: Pick<Services, "delegations">): Job[] {
  // An hour passes, a client is installed, a requester proves its key: nobody tells of these.
  return [{ name: "delegations.waiting", periodMs: MINUTE_MS, run: () => delegations.handWaiting() }];
}
