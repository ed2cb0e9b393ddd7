import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { createVerifier } from "@darkmatter/identity";
import { signedCheckpointOf, spkiPem, verifyCheckpoint } from "@darkmatter/proof";
import { tempFolder } from "@darkmatter/store/testing";
import { expect, test } from "vitest";
import { type WitnessedLog, witnessedLog } from "../../testing/witnessed-log.ts";
import type { PublicationFolder } from "../ports.ts";
import { publicationFolder } from "./adapters/publication-folder.ts";
import { createServerLog } from "./server-log.ts";

/** A folder in memory; after `writesLeft` writes it fails as a full disk does. */
function memoryFolder() {
  const files = new Map<string, string>();
  const folder = {
    files,
    writesLeft: Number.POSITIVE_INFINITY,
    read: async (name: string) => files.get(name),
    async replace(name: string, text: string) {
      if (folder.writesLeft-- <= 0) throw new Error("no space left");
      files.set(name, text);
    },
  };
  return folder satisfies PublicationFolder;
}

async function signedSo(world: WitnessedLog, commits: readonly number[]): Promise<void> {
  for (const more of commits) {
    await world.grow(more);
    await world.log.checkpointNow();
  }
  await world.log.witnessNow();
}

test("each checkpoint, the latest, the keys and a signed note are published, with the witnesses' signatures", async () => {
  const publisher = memoryFolder();
  await using world = await witnessedLog({ ports: { publisher } });
  await world.register();
  await signedSo(world, [2, 3]);
  const { logKey } = world.server.ports;

  expect([...publisher.files.keys()].sort()).toEqual([
    "checkpoint",
    "checkpoints/2.json",
    "checkpoints/5.json",
    "latest.json",
    "pubkey.json",
    "pubkey.pem",
  ]);
  const latest = JSON.parse(publisher.files.get("latest.json") ?? "");
  expect(publisher.files.get("checkpoints/5.json")).toBe(publisher.files.get("latest.json"));
  const signed = signedCheckpointOf(latest, ["witness_signatures", "witness_count"]);
  const { verify } = createVerifier({ threads: "never" });
  expect(signed && (await verifyCheckpoint(signed, logKey.agentId, verify))).toBe(true);
  expect(latest).toMatchObject({ witness_count: 1, witness_signatures: [{ witness_name: "wit" }] });
  expect(publisher.files.get("pubkey.pem")).toBe(spkiPem(logKey.agentId));
  const [origin, size, root, blank, signature] = publisher.files.get("checkpoint")?.split("\n") ?? [];
  expect([origin, size, blank]).toEqual(["ledger.test", "5", ""]);
  expect(Buffer.from(root ?? "", "base64").toString("hex")).toBe(latest.tree_root);
  const bytes = Buffer.from(signature?.split(" ")[2] ?? "", "base64");
  expect(signature?.startsWith("\u2014 ledger.test ")).toBe(true);
  expect(
    await verify(logKey.agentId, `${origin}\n${size}\n${root}\n`, bytes.subarray(4).toString("hex")),
  ).toBe(true);
});

test("wherever publishing broke off, the next process brings what is missing, and writes nothing twice", async () => {
  const whole = memoryFolder();
  await using world = await witnessedLog({ ports: { publisher: whole } });
  await world.register();
  await signedSo(world, [2, 3, 1]);
  for (let writes = 0; writes < whole.files.size; writes++) {
    const folder = memoryFolder();
    folder.writesLeft = writes;
    const begun = createServerLog({ ...world.server.ports, publisher: folder });
    await begun.witnessNow();
    expect(folder.files.size, `after ${writes}`).toBe(writes);
    const named = folder.files.get("latest.json");
    if (named) expect([...folder.files.values()].filter((text) => text === named)).toHaveLength(2);
    folder.writesLeft = whole.files.size - writes;
    await createServerLog({ ...world.server.ports, publisher: folder }).witnessNow();
    expect(Object.fromEntries(folder.files)).toEqual(Object.fromEntries(whole.files));
  }
  expect(world.reports.some((line) => line.startsWith("ledger.publication"))).toBe(true);
});

test("a removed file comes back with the next process; a signature that comes later is published, too", async () => {
  const publisher = memoryFolder();
  await using world = await witnessedLog({ ports: { publisher } });
  await signedSo(world, [2, 3]);
  const before = publisher.files.get("checkpoints/2.json");
  publisher.files.delete("checkpoints/2.json");
  await createServerLog(world.server.ports).witnessNow();
  expect(publisher.files.get("checkpoints/2.json")).toBe(before);

  await world.register();
  await world.log.witnessNow();

  expect(publisher.files.get("latest.json")).toContain('"witness_count":1');
  expect(publisher.files.get("checkpoints/5.json")).toContain('"witness_count":1');
});

test("a stop signs and publishes what was committed last", async () => {
  const publisher = memoryFolder();
  await using world = await witnessedLog({ ports: { publisher } });
  await world.grow(4);
  await world.server.server.stop();
  expect(JSON.parse(publisher.files.get("latest.json") ?? "")).toMatchObject({ tree_size: 4 });
});

test("the system's folder can be read by anybody, and holds nothing half written", async () => {
  using folder = tempFolder();
  const path = join(folder.path, "public");
  await using world = await witnessedLog({ ports: { publisher: publicationFolder(path) } });
  await signedSo(world, [2, 3]);

  expect(readdirSync(path).sort()).toEqual([
    "checkpoint",
    "checkpoints",
    "latest.json",
    "pubkey.json",
    "pubkey.pem",
  ]);
  expect(readdirSync(join(path, "checkpoints"))).toEqual(["2.json", "5.json"]);
  for (const name of ["", "checkpoints"]) expect(statSync(join(path, name)).mode & 0o777).toBe(0o755);
  expect(statSync(join(path, "latest.json")).mode & 0o777).toBe(0o644);
  expect(JSON.parse(readFileSync(join(path, "latest.json"), "utf8"))).toMatchObject({ tree_size: 5 });
});
