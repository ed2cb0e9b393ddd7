import { join } from "node:path";
import type { LogMemory } from "@darkmatter/ledger/server";
import { nodeFiles } from "@darkmatter/store";

/** Where a home remembers the newest checkpoint of its ledger server's log: beside the key that signed it. */
export function logMemory(home: string): LogMemory {
  const place = join(home, "ledger", "log.signed");
  return {
    place,
    read: () => nodeFiles.read(place),
    replace: (text) => nodeFiles.replace(place, text),
  };
}
