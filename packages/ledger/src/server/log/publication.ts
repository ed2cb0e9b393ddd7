import { reasonOf } from "@darkmatter/core";
import type { Signer } from "@darkmatter/identity";
import { type SignedCheckpoint, spkiPem } from "@darkmatter/proof";
import type { Database } from "@darkmatter/store";
import type { Checkpoints } from "../../checkpoints/checkpoints.ts";
import type { Report } from "../../ports.ts";
import type { LedgerServerConfig, PublicationFolder } from "../ports.ts";
import type { LogKeys } from "./log-keys.ts";
import { signedNote } from "./note.ts";
import { oneAtATime } from "./one-at-a-time.ts";
import { shownCheckpoint, shownKeys } from "./shown.ts";

/** Checkpoints read at once. */
const PAGE = 256;

export interface PublicationPorts {
  readonly db: Database;
  readonly logKey: Signer;
  readonly publisher: PublicationFolder | undefined;
  readonly report: Report;
  readonly config: Pick<LedgerServerConfig, "baseUrl">;
}

/** Checkpoints in a folder that any web server can serve: docs/server.md. */
export interface Publication {
  /**
   * Writes whatever is not there yet, or not as it is now. The first time every checkpoint is looked at, so that
   * nothing that a crash kept back, or somebody removed, is missing. What fails is reported, and tried again next time.
   */
  catchUp(): Promise<void>;
  /** A checkpoint of that size got another signature. */
  changed(treeSize: number): void;
  /** The size of the newest tree that is published, as far as this process knows; 0 for none. */
  size(): number;
}

export function createPublication(
  { db, logKey, publisher, report, config }: PublicationPorts,
  checkpoints: Checkpoints,
  keys: LogKeys,
): Publication {
  let published = 0;
  const changed = new Set<number>();

  async function put(folder: PublicationFolder, name: string, text: string): Promise<void> {
    if ((await folder.read(name)) !== text) await folder.replace(name, text);
  }

  async function putCheckpoint(folder: PublicationFolder, checkpoint: SignedCheckpoint): Promise<string> {
    const signatures = await checkpoints.witnessSignatures(db, checkpoint.checkpoint_id);
    const text = `${JSON.stringify(shownCheckpoint(checkpoint, signatures))}\n`;
    await put(folder, `checkpoints/${checkpoint.tree_size}.json`, text);
    return text;
  }

  async function putChanged(folder: PublicationFolder): Promise<void> {
    for (const size of changed) {
      const [checkpoint] = await checkpoints.from(db, size - 1, { limit: 1 });
      // Before it is written: what changes meanwhile has to be written again.
      changed.delete(size);
      try {
        if (checkpoint) await putCheckpoint(folder, checkpoint);
      } catch (error) {
        changed.add(size);
        throw error;
      }
    }
  }

  async function putAll(folder: PublicationFolder): Promise<void> {
    await put(folder, "pubkey.json", `${JSON.stringify(shownKeys(keys))}\n`);
    await put(folder, "pubkey.pem", spkiPem(keys.current));
    await putChanged(folder);
    for (;;) {
      const page = await checkpoints.from(db, published, { limit: PAGE });
      if (page.length === 0) break;
      for (const checkpoint of page) {
        await putCheckpoint(folder, checkpoint);
        published = checkpoint.tree_size;
      }
    }
    const latest = await checkpoints.latest(db);
    if (!latest) return;
    // Its own file comes first: what names the latest never names one that is not there.
    const text = await putCheckpoint(folder, latest);
    await put(folder, "latest.json", text);
    await put(folder, "checkpoint", signedNote(latest, origin, logKey));
  }

  const origin = config.baseUrl.replace(/^https?:\/\//, "");
  const catchUp = oneAtATime(async () => {
    if (!publisher) return;
    try {
      await putAll(publisher);
    } catch (error) {
      report("ledger.publication", { reason: reasonOf(error) });
    }
  });

  return { catchUp, changed: (treeSize) => void changed.add(treeSize), size: () => published };
}
