import { type Json, sha256Hex } from "@darkmatter/core";
import {
  challengeText,
  createSigner,
  createVerifier,
  genomeText,
  lanBeaconText,
  messageText,
  peerUpdateText,
  relayPollText,
  type SignedText,
  sdpText,
  shardText,
  signText,
} from "@darkmatter/identity";
import { type Findings, type Outcome, ran } from "../outcome.ts";

const verifier = createVerifier({ threads: "never" });

interface SignedMessage {
  readonly from_agent_id: string;
  readonly message_id: string;
  readonly timestamp: string;
  readonly content: string;
  readonly signature_hex: string;
}

interface MessageDocument {
  readonly sign: ReadonlyArray<
    SignedMessage & { private_key_hex: string; signed_bytes_hex: string; signed_bytes_sha256: string }
  >;
  readonly verify: ReadonlyArray<SignedMessage & { label: string; public_key_hex: string; valid: boolean }>;
}

const textOf = ({ from_agent_id: from, message_id: messageId, timestamp, content }: SignedMessage) =>
  messageText({ from, messageId, timestamp, content });

/** The signature of messages: made byte for byte, and told from what is none (mesh.md 3). */
export async function* messageSignature(document: Json): AsyncIterable<Outcome> {
  const { sign, verify } = document as unknown as MessageDocument;
  for (const message of sign) {
    yield ran(`signing ${message.message_id}`, async (found) => {
      await signs(found, textOf(message), message, message.from_agent_id);
      found.equal("SHA-256", sha256Hex(textOf(message) ?? ""), message.signed_bytes_sha256);
    });
  }
  for (const message of verify) {
    yield ran(`verifying: ${message.label}`, async (found) => {
      const text = textOf(message);
      const valid =
        text !== undefined && (await verifier.verify(message.public_key_hex, text, message.signature_hex));
      found.equal("valid", valid, message.valid);
    });
  }
}

interface DomainCase {
  readonly kind: string;
  readonly private_key_hex: string;
  readonly public_key_hex: string;
  readonly domain: string;
  readonly fields: readonly string[];
  readonly signed_bytes_hex: string;
  readonly signature_hex: string;
  readonly tags_input?: readonly string[];
  readonly tags_str?: string;
}

/** How each kind's fields, in the order they are signed, make our text. */
const BUILDERS: Readonly<Record<string, (fields: readonly string[], tags: readonly string[]) => SignedText>> =
  {
    peer_update: ([agentId = "", newUrl = "", timestamp = ""]) =>
      peerUpdateText({ agentId, newUrl, timestamp }),
    relay_poll: ([agentId = "", timestamp = ""]) => relayPollText({ agentId, timestamp }),
    sdp: ([agentId = "", sdp = ""]) => sdpText({ agentId, sdp }),
    shard: ([shardId = "", authorId = "", content = ""], tags) =>
      shardText({ shardId, authorId, content, tags }),
    lan_beacon: ([agentId = "", port, sentAt]) =>
      lanBeaconText({ agentId, port: Number(port), sentAt: Number(sentAt) }),
    challenge_response: ([challengeHex = ""]) => challengeText(challengeHex),
    genome: ([version = "", bundleHash = ""]) => genomeText({ version, bundleHash }),
  };

/** Every other signed text: domain and fields, one a line (mesh.md 3). */
export async function* domainSignatures(document: Json): AsyncIterable<Outcome> {
  const { cases } = document as unknown as { cases: readonly DomainCase[] };
  for (const one of cases) {
    yield ran(`${one.kind} ${one.fields.join(" ").slice(0, 40)}`, async (found) => {
      const build = BUILDERS[one.kind];
      if (!build) return found.wrong(`nothing here signs a ${one.kind}`);
      await signs(found, build(one.fields, one.tags_input ?? []), one, one.public_key_hex);
      if (one.tags_str !== undefined) found.equal("tags", one.fields.at(-1), one.tags_str);
    });
  }
}

async function signs(
  found: Findings,
  text: SignedText,
  expected: { private_key_hex: string; signed_bytes_hex: string; signature_hex: string },
  publicKeyHex: string,
): Promise<void> {
  const signer = createSigner(expected.private_key_hex);
  found.equal("public key", signer.agentId, publicKeyHex);
  found.equal("signed bytes", Buffer.from(text ?? "", "utf8").toString("hex"), expected.signed_bytes_hex);
  found.equal("signature", signText(signer, text), expected.signature_hex);
  found.holds(
    "the signature verifies",
    await verifier.verify(publicKeyHex, text ?? "", expected.signature_hex),
  );
}
