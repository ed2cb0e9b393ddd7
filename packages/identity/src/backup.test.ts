import { toHex } from "@darkmatter/core";
import { seededRandom } from "@darkmatter/core/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { backUpPassport, createSigner, openBackup } from "./index.ts";

const seed = new Uint8Array(32).fill(7);
const passphrase = "correct horse battery";
const quick = { passphrase, random: seededRandom(1), cost: { n: 1024, r: 8, p: 1 } };

test("a backup at full cost opens with its passphrase, and shows the agent but not the key", async () => {
  const text = await backUpPassport(seed, { passphrase, random: seededRandom(1) });
  expect(text).toContain(createSigner(seed).agentId);
  expect(text).not.toContain(toHex(seed));
  expect(JSON.parse(text).kdf.n).toBe(2 ** 17);
  expect(toHex(await openBackup(text, passphrase))).toBe(toHex(seed));
});

test("the passphrase may be composed of letters in either way, another one does not open", async () => {
  const text = await backUpPassport(seed, { ...quick, passphrase: "café à la crème" });
  expect(await openBackup(text, "café à la crème".normalize("NFD"))).toEqual(Buffer.from(seed));
  await expect(openBackup(text, "cafe a la creme")).rejects.toMatchObject({ code: "BACKUP_NOT_OPENED" });
});

test("a passphrase of fewer than 8 characters is refused", async () => {
  const short = backUpPassport(seed, { ...quick, passphrase: "🚀".repeat(7) });
  await expect(short).rejects.toMatchObject({ code: "PASSPHRASE_TOO_SHORT" });
});

test("no field can be changed unnoticed", async () => {
  const backup = JSON.parse(await backUpPassport(seed, quick));
  const other = createSigner(new Uint8Array(32).fill(8)).agentId;
  const changes = [
    { format: "other" },
    { version: 2 },
    { agent_id: other },
    { kdf: { ...backup.kdf, n: 2048 } },
    { kdf: { ...backup.kdf, salt: "00".repeat(16) } },
    { cipher: { ...backup.cipher, nonce: "00".repeat(12) } },
    { sealed: "00".repeat(48) },
    { sealed: backup.sealed.slice(2) },
    { extra: 1 },
  ];
  for (const change of changes) {
    const opened = openBackup(JSON.stringify({ ...backup, ...change }), passphrase);
    await expect(opened, JSON.stringify(change)).rejects.toMatchObject({
      code: expect.stringMatching(/^BACKUP_/),
    });
  }
});

test("a file that asks for absurd work is refused before any is done", async () => {
  const backup = JSON.parse(await backUpPassport(seed, quick));
  for (const n of [2 ** 30, 1025, 1, -1024, 2 ** 20 + 0.5]) {
    const text = JSON.stringify({ ...backup, kdf: { ...backup.kdf, n } });
    await expect(openBackup(text, passphrase)).rejects.toMatchObject({ code: "BACKUP_DAMAGED" });
  }
});

test("no text, and no cut or bent backup, gives anything but a coded error that holds no secret", async () => {
  const whole = await backUpPassport(seed, quick);
  const bent = fc
    .tuple(fc.nat({ max: whole.length - 2 }), fc.string({ minLength: 1, maxLength: 3 }))
    .map(([at, text]) => {
      return whole.slice(0, at) + text + whole.slice(at + text.length);
    });
  const cut = fc.nat({ max: whole.length - 3 }).map((length) => whole.slice(0, length));
  await fc.assert(
    fc.asyncProperty(fc.oneof(bent, cut, fc.string(), fc.json()), async (text) => {
      const opened = await openBackup(text, passphrase).catch((error: unknown) => error);
      // A bend may leave the meaning as it was: blanks between fields, a letter replaced by itself.
      if (opened instanceof Uint8Array) return toHex(opened) === toHex(seed);
      expect(opened).toMatchObject({ code: expect.stringMatching(/^BACKUP_/) });
      return !String(opened).includes(passphrase) && !String(opened).includes(toHex(seed));
    }),
    { numRuns: 60 },
  );
});
