import { dirname, resolve } from "node:path";
import type { JsonObject } from "@darkmatter/core";
import { keyOfPem } from "@darkmatter/proof";
import { nodeFiles } from "@darkmatter/store";
import { type CommandInput, EXIT_OK, type ExitCode } from "@darkmatter/surface";
import { confirmed } from "../../adapters/confirm.ts";
import { newKeyPair } from "../../adapters/key-pair.ts";
import { logKeyPath, makeLogKey } from "../../adapters/log-key-file.ts";
import { refuseLostKeyOf } from "../../adapters/lost-log-key.ts";
import { homeFolder } from "../../adapters/passport-peek.ts";
import { nodeError } from "../../errors.ts";
import { PRIVATE_KEYS } from "../../ledger-client/dot-env.ts";
import { clientError } from "../../ledger-client/errors.ts";
import { brief, textOption } from "../context.ts";
import { atServer } from "./at-server.ts";
import { ignoredFrom, writeIgnored } from "./git-ignore.ts";

const KEY_ID = /^[A-Za-z0-9._-]{1,100}$/;
const PUBLIC_MODE = 0o644;

const privateFile = (name: string) => resolve(`${name}.private.pem`);
const publicFile = (name: string) => resolve(`${name}.public.pem`);

/** @throws USAGE, FILE_TAKEN */
export async function generateKey(input: CommandInput): Promise<ExitCode> {
  if (input.options.log === true) return generateLogKey(input);
  const name = input.args.name ?? "signing";
  if (!KEY_ID.test(name)) throw nodeError("USAGE", "A key's name is 1 to 100 letters, digits, and . _ -");
  const [secret, open] = [privateFile(name), publicFile(name)];
  const isForced = input.options.force === true;
  for (const path of isForced ? [] : [secret, open]) await refuseTaken(path);
  const pair = newKeyPair();
  // Before the key is there: no moment in which git would take it.
  const ignored = await ignoredFrom(dirname(secret), PRIVATE_KEYS);
  await writeIgnored(ignored);
  // The public half last: where it is, the other one is, too.
  await place(secret, pair.privatePem, 0o600, isForced);
  await place(open, pair.publicPem, PUBLIC_MODE, isForced);
  const lines = [
    `${secret}  (readable by you alone; whoever has it signs in your name)`,
    open,
    ...(ignored === undefined ? [] : [`${ignored.path}  (keeps ${PRIVATE_KEYS.line} out of git)`]),
    `Make it known to the server: darkmatter keys register ${name}`,
  ];
  input.out.result(lines.join("\n"), { key_id: name, private_key: secret, public_key: open });
  return EXIT_OK;
}

async function generateLogKey(input: CommandInput): Promise<ExitCode> {
  const given = textOption(input.options.output);
  const home = homeFolder({ home: textOption(input.options.home) }, process.env);
  const file = given === undefined ? logKeyPath(home) : resolve(given);
  // A key that is there is not lost: that it stays is said by who would make another.
  if (file === logKeyPath(home) && !(await nodeFiles.exists(file))) await refuseLostKeyOf(home, file);
  const { agentId: publicKey } = makeLogKey(file);
  const lines = [
    `${file}  (readable by you alone)`,
    `  public  ${publicKey}`,
    "Keep a copy of it. Whoever has it can sign in this log's name; without it the log cannot go on.",
    given === undefined
      ? "Start the server: darkmatter serve ledger"
      : `Start the server: DARKMATTER_LOG_KEY_FILE=${file} darkmatter serve ledger`,
  ];
  input.out.result(lines.join("\n"), { log_key: file, public_key: publicKey });
  return EXIT_OK;
}

async function refuseTaken(path: string): Promise<void> {
  if (await nodeFiles.exists(path)) throw taken(path);
}

async function place(path: string, text: string, mode: number, isForced: boolean): Promise<void> {
  if (isForced) return nodeFiles.replace(path, text, mode);
  if (!(await nodeFiles.create(path, text, mode))) throw taken(path);
}

const taken = (path: string) =>
  clientError("FILE_TAKEN", `${path} exists already. What only it can sign is lost when it is replaced.`);

export const registerKey = (input: CommandInput): Promise<ExitCode> =>
  atServer(input, async ({ client }) => {
    const given = input.args.key ?? "";
    const file = KEY_ID.test(given) && !given.endsWith(".pem") ? publicFile(given) : resolve(given);
    const keyId =
      textOption(input.options.id) ?? (KEY_ID.test(given) ? given.replace(/\.public\.pem$/, "") : "");
    if (!KEY_ID.test(keyId)) throw nodeError("USAGE", "Say what it is to be called: --id NAME");
    const answer = await client.registerKey({
      key_id: keyId,
      public_key: await publicKeyIn(file),
      algorithm: "Ed25519",
      ...(textOption(input.options.description) !== undefined && {
        description: textOption(input.options.description) as string,
      }),
    });
    input.out.result(
      `${brief(answer.key_id, 100)} is ${brief(answer.status, 20)}: ${client.host} takes what it signed.`,
      answer as JsonObject,
    );
    return EXIT_OK;
  });

/** The key of a PEM, in base64url. @throws UNREADABLE_FILE, KEY_UNREADABLE */
async function publicKeyIn(file: string): Promise<string> {
  const text = await nodeFiles.read(file);
  if (text === undefined) throw nodeError("UNREADABLE_FILE", `There is no file ${file}.`);
  if (text.includes("PRIVATE KEY")) {
    throw clientError("KEY_UNREADABLE", `${file} is a private key: it stays here. Register the public one.`);
  }
  const hex = keyOfPem(`${text.trim().replaceAll("\r\n", "\n")}\n`);
  if (hex === undefined) throw clientError("KEY_UNREADABLE", `${file} holds no Ed25519 public key in PEM.`);
  return Buffer.from(hex, "hex").toString("base64url");
}

export const listKeys = (input: CommandInput): Promise<ExitCode> =>
  atServer(input, async ({ client }) => {
    const answer = await client.signingKeys();
    const lines = answer.keys.map(({ key_id, status, created_at, revoked_at, description }) =>
      `${brief(key_id, 100)}  ${brief(status, 20)}  since ${brief(created_at ?? "?", 30)}${revoked_at ? `, revoked ${brief(revoked_at, 30)}` : ""}  ${brief(description ?? "", 80)}`.trimEnd(),
    );
    input.out.result(
      lines.length === 0 ? "No signing key is registered." : lines.join("\n"),
      answer as JsonObject,
    );
    return EXIT_OK;
  });

export const revokeKey = (input: CommandInput): Promise<ExitCode> =>
  atServer(input, async ({ client }) => {
    const keyId = input.args.key ?? "";
    const { keys } = await client.signingKeys();
    if (!keys.some(({ key_id }) => key_id === keyId)) {
      throw clientError("NOT_ON_SERVER", `${client.host} knows no signing key ${keyId} of this account.`);
    }
    if (input.options.yes !== true) {
      input.out.line(
        `Nothing that ${keyId} signs from now on will be taken; the id can never be used again.`,
      );
      await confirmed("Revoke it?");
    }
    const answer = await client.revokeKey(keyId);
    input.out.result(`${brief(answer.key_id, 100)} is ${brief(answer.status, 20)}.`, answer as JsonObject);
    return EXIT_OK;
  });
