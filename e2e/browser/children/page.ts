// What runs in the page: the same as in Node, but with noble's SHA-256 and Web Crypto's Ed25519.
import { fromHex, isAdmissibleKey, utf8 } from "@darkmatter/core";
import { type ProofInput, type ProofRun, runProof } from "../proof-run.ts";

const SIGNATURE_BYTES = 64;

async function verifySignature(publicKeyHex: string, text: string, signatureHex: string): Promise<boolean> {
  const [key, signature] = [fromHex(publicKeyHex), fromHex(signatureHex)];
  if (!key || signature?.length !== SIGNATURE_BYTES || !isAdmissibleKey(publicKeyHex)) return false;
  try {
    const imported = await crypto.subtle.importKey("raw", key, "Ed25519", false, ["verify"]);
    return await crypto.subtle.verify("Ed25519", imported, signature, new Uint8Array(utf8(text)));
  } catch (error) {
    // A key that is no point of the curve; anything else is a fault of this page.
    if (error instanceof DOMException && error.name === "DataError") return false;
    throw error;
  }
}

declare global {
  /** Takes a `ProofInput` as JSON text. */
  var runProofHere: (input: string) => Promise<ProofRun>;
}
globalThis.runProofHere = (input) => runProof(JSON.parse(input) as ProofInput, verifySignature);
