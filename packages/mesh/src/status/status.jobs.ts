import { SECOND_MS } from "@darkmatter/core";
import type { Job } from "@darkmatter/surface";
import type { Services } from "../services.ts";
import type { Changes } from "./changes.ts";

/** The live status is looked at anew this often, and announced if it changed (mesh.md 15). */
const STATUS_PERIOD_MS = 5 * SECOND_MS;
/** Changes are gathered for this long before agents are told. */
const ANNOUNCE_PERIOD_MS = SECOND_MS;

/** Wakes an inactive agent when its time is over, and keeps the live status live. */
export function statusJobs({ db, presence, glance, changed }: Services, changes: Changes): Job[] {
  return [
    {
      name: "status.look",
      periodMs: STATUS_PERIOD_MS,
      async run() {
        if (presence.isOver()) await db.write((tx) => presence.reactivate(tx));
        changed();
      },
    },
    {
      name: "status.announce",
      periodMs: ANNOUNCE_PERIOD_MS,
      async run() {
        if (!changes.take()) return;
        await glance.refresh();
        changes.announce();
      },
    },
  ];
}
