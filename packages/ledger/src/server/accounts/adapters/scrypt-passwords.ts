import { scrypt, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import type { Random } from "@darkmatter/core";
import type { Passwords } from "../../ports.ts";
import { createTurns } from "../../turns.ts";

/** RFC 7914: 128 · 2^logN · r bytes of memory for each hash that is being made. */
export interface PasswordCost {
  readonly logN: number;
  readonly r: number;
  readonly p: number;
}

/** OWASP's parameters for 32 MiB: some tenths of a second, and two at once fit a small machine. */
const COST: PasswordCost = { logN: 15, r: 8, p: 3 };
/** The engine hashes on the four threads that files are read on, too: the others stay free. */
const AT_ONCE = 2;
/** Eight hashes' time: who would wait longer is sent away, and may come again. */
const WAITING_MAX = 16;

const SALT_BYTES = 16;
const KEY_BYTES = 32;
const FORM = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{16,88})\$([A-Za-z0-9+/]{43})$/;

const derive = promisify<string, Uint8Array, number, object, Buffer>(scrypt);

/** Hashes written as `$scrypt$ln=15,r=8,p=3$<salt>$<hash>`, base64 without padding. @throws overloaded */
export function scryptPasswords(random: Random, cost: PasswordCost = COST): Passwords {
  const inTurn = createTurns(AT_ONCE, WAITING_MAX).run;
  const keyOf = (password: string, salt: Uint8Array, { logN, r, p }: PasswordCost) =>
    // Twice what the algorithm needs: the engine counts its own buffers, too.
    inTurn(() => derive(password, salt, KEY_BYTES, { N: 2 ** logN, r, p, maxmem: 256 * 2 ** logN * r }));
  const nobody = { cost, salt: random.bytes(SALT_BYTES), key: random.bytes(KEY_BYTES) };

  return {
    async hash(password) {
      const salt = random.bytes(SALT_BYTES);
      const key = await keyOf(password, salt, cost);
      return `$scrypt$ln=${cost.logN},r=${cost.r},p=${cost.p}$${base64(salt)}$${base64(key)}`;
    },
    async verify(password, hash) {
      const known = hash === undefined ? undefined : parsed(hash);
      const against = known ?? nobody;
      const isRight = timingSafeEqual(await keyOf(password, against.salt, against.cost), against.key);
      return isRight && known !== undefined;
    },
  };
}

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64").replace(/=+$/, "");

function parsed(hash: string) {
  const [, logN, r, p, salt, key] = FORM.exec(hash) ?? [];
  if (salt === undefined || key === undefined) return undefined;
  return {
    cost: { logN: Number(logN), r: Number(r), p: Number(p) },
    salt: Buffer.from(salt, "base64"),
    key: Buffer.from(key, "base64"),
  };
}
