import { createSigner, createVerifier, type Signer, type Verifier } from "@darkmatter/identity";

/** The keys of a run's machines, and the check of what any key signed. */
export interface Signatures {
  signer(seed: Uint8Array): Signer;
  readonly verifier: Verifier;
}

/** Answers remembered. */
const KNOWN_MAX = 10_000;
const GOOD = Promise.resolve(true);

/**
 * Ed25519 takes a tenth of a run, and what all hear is checked by each. So an answer is remembered, by key, text and
 * signature together, and what a machine's own key has signed is known as good: everything else, whatever was changed
 * in it, is really checked. `checksAll`: nothing is known that was not checked before.
 */
export function createSignatures({ checksAll }: { readonly checksAll: boolean }): Signatures {
  const known = new Map<string, Promise<boolean>>();
  // It keeps nothing but keys that were read before, at a quarter of a megabyte each: one for all.
  const { verify } = createVerifier({ threads: "never" });

  function remember(name: string, answer: Promise<boolean>): Promise<boolean> {
    if (known.size >= KNOWN_MAX) known.clear();
    known.set(name, answer);
    return answer;
  }

  return {
    signer(seed) {
      const signer = createSigner(seed);
      if (checksAll) return signer;
      return {
        ...signer,
        sign(text) {
          const signatureHex = signer.sign(text);
          void remember(nameOf(signer.agentId, text, signatureHex), GOOD);
          return signatureHex;
        },
      };
    },
    verifier: {
      verify(publicKeyHex, text, signatureHex) {
        const name = nameOf(publicKeyHex, text, signatureHex);
        return known.get(name) ?? remember(name, verify(publicKeyHex, text, signatureHex));
      },
    },
  };
}

const nameOf = (publicKeyHex: string, text: string, signatureHex: string) =>
  `${publicKeyHex} ${signatureHex} ${text}`;
