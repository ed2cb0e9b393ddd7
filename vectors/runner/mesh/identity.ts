import { fromHex, type Json, toHex } from "@darkmatter/core";
import { memoryFiles, seededRandom } from "@darkmatter/core/testing";
import { createSigner, openPassport, readPassport } from "@darkmatter/identity";
import { type Findings, type Outcome, ran } from "../outcome.ts";

interface Document {
  readonly derive: ReadonlyArray<{
    seed_hex: string;
    passport_file: string;
    agent_id: string;
    state_file: string;
  }>;
  readonly load: ReadonlyArray<{
    label: string;
    passport_file: string;
    loaded_private_key_hex: string;
    agent_id: string;
  }>;
  readonly created_file: {
    readonly bytes: number;
    readonly mode_octal: string;
    readonly ends_with_newline: boolean;
    readonly example: string;
    readonly agent_id: string;
  };
}

/** Passport text → key → agent id, and the file a first start writes (mesh.md 1). */
export async function* identity(document: Json): AsyncIterable<Outcome> {
  const { derive, load, created_file: created } = document as unknown as Document;

  for (const { seed_hex: seed, passport_file: text, agent_id: agentId, state_file: path } of derive) {
    yield ran(`key of ${agentId}`, async (found) => {
      await readsAs(found, text, seed, agentId);
      found.equal("agent id of the seed", createSigner(seed).agentId, agentId);
      found.holds(`the state's name holds the agent id: ${path}`, path.endsWith(`/${agentId}.json`));
    });
  }

  for (const { label, passport_file: text, loaded_private_key_hex: seed, agent_id: agentId } of load) {
    yield ran(`passport with ${label}`, (found) => readsAs(found, text, seed, agentId));
  }

  yield ran("a new passport", async (found) => {
    const files = memoryFiles();
    const { path, signer } = await openPassport(
      { files, random: seededRandom(1) },
      { folder: "/project", states: "/home/state" },
    );
    const text = (await files.read(path)) ?? "";
    found.equal("bytes", Buffer.byteLength(text), created.bytes);
    found.equal("mode", files.mode(path)?.toString(8), created.mode_octal);
    found.equal("newline at the end", text.endsWith("\n"), created.ends_with_newline);
    await readsAs(found, text, text.trim(), signer.agentId);
    await readsAs(found, created.example, created.example.trim(), created.agent_id);
  });
}

async function readsAs(found: Findings, text: string, seedHex: string, agentId: string): Promise<void> {
  const seed = await readPassport(memoryFiles({ "/passport.key": text }), "/passport.key");
  found.equal("private key", toHex(seed), toHex(fromHex(seedHex) ?? new Uint8Array()));
  found.equal("agent id", createSigner(seed).agentId, agentId);
}
