import { AgentId, codePointLength, fromHex, parseJson, type Random, toHex } from "@darkmatter/core";
import { z } from "zod";
import { createSigner, SEED_BYTES } from "./adapters/keys.ts";
import { keyOfPassphrase, NONCE_BYTES, type ScryptCost, seal, unseal } from "./adapters/seal.ts";
import { identityError } from "./errors.ts";

export const PASSPHRASE_CODE_POINTS_MIN = 8;

/** 128 MiB and about half a second for each guess. */
const BACKUP_COST: ScryptCost = { n: 2 ** 17, r: 8, p: 1 };
/** A file that asks for more is refused before anything is computed: 1 GiB. */
const COST_N_MAX = 2 ** 20;
const SALT_BYTES = 16;
const BACKUP_CHARACTERS_MAX = 4096;

const hexOf = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`));

const Backup = z.strictObject({
  format: z.literal("darkmatter.passport.backup"),
  version: z.literal(1),
  agent_id: AgentId,
  kdf: z.strictObject({
    name: z.literal("scrypt"),
    n: z
      .number()
      .int()
      .min(1024)
      .max(COST_N_MAX)
      .refine((n) => Number.isInteger(Math.log2(n))),
    r: z.literal(8),
    p: z.literal(1),
    salt: hexOf(SALT_BYTES),
  }),
  cipher: z.strictObject({ name: z.literal("chacha20-poly1305"), nonce: hexOf(NONCE_BYTES) }),
  /** The 32-byte seed and the 16-byte tag. The other fields are constants, make the key, or follow from the seed. */
  sealed: hexOf(SEED_BYTES + 16),
});
type Backup = z.infer<typeof Backup>;

export interface BackupOptions {
  readonly passphrase: string;
  readonly random: Random;
  /** For tests: the default takes half a second. */
  readonly cost?: ScryptCost;
}

/** A passport as JSON text that only its passphrase opens. @throws PASSPHRASE_TOO_SHORT */
export async function backUpPassport(
  seed: Uint8Array,
  { passphrase, random, cost = BACKUP_COST }: BackupOptions,
): Promise<string> {
  if (codePointLength(passphrase) < PASSPHRASE_CODE_POINTS_MIN) throw identityError("PASSPHRASE_TOO_SHORT");
  const [salt, nonce] = [random.bytes(SALT_BYTES), random.bytes(NONCE_BYTES)];
  const open: Omit<Backup, "sealed"> = {
    format: "darkmatter.passport.backup",
    version: 1,
    agent_id: createSigner(seed).agentId,
    kdf: { name: "scrypt", n: cost.n, r: 8, p: 1, salt: toHex(salt) },
    cipher: { name: "chacha20-poly1305", nonce: toHex(nonce) },
  };
  const key = await keyOfPassphrase(passphrase, salt, open.kdf);
  const sealed = toHex(seal(seed, { key, nonce }));
  return `${JSON.stringify({ ...open, sealed }, null, 2)}\n`;
}

/** The seed in a backup. @throws BACKUP_DAMAGED, BACKUP_NOT_OPENED */
export async function openBackup(text: string, passphrase: string): Promise<Uint8Array> {
  const parsed = Backup.safeParse(text.length > BACKUP_CHARACTERS_MAX ? undefined : parseJson(text));
  if (!parsed.success) throw identityError("BACKUP_DAMAGED");
  const { sealed, ...open } = parsed.data;
  const [salt, nonce, bytes] = [open.kdf.salt, open.cipher.nonce, sealed].map(fromHex);
  if (!salt || !nonce || !bytes) throw identityError("BACKUP_DAMAGED");
  const key = await keyOfPassphrase(passphrase, salt, open.kdf);
  const seed = unseal(bytes, { key, nonce });
  if (!seed) throw identityError("BACKUP_NOT_OPENED");
  if (createSigner(seed).agentId !== open.agent_id) throw identityError("BACKUP_DAMAGED");
  return seed;
}
