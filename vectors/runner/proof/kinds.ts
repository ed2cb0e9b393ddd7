import type { Json } from "@darkmatter/core";
import type { VerifySignature } from "@darkmatter/proof";
import { type Kind, ran } from "../outcome.ts";
import { answersOf } from "./answers.ts";

interface Case {
  readonly name: string;
  readonly kind: string;
  readonly input: Json;
  readonly expect: Json;
}

const FILES = ["merkle", "checkpoints", "evidence", "receipts", "commitments"];

/** What runs the cases of each file, by the file's name. Uses nothing that a browser does not have. */
export function proofKinds(verify: VerifySignature): Readonly<Record<string, Kind>> {
  const answers = answersOf(verify);
  async function* run(document: Json) {
    for (const { name, kind, input, expect } of (document as unknown as { cases: Case[] }).cases) {
      yield ran(`${kind}: ${name}`, async (found) => {
        const answer = answers[kind];
        if (!answer) found.wrong(`nothing here answers "${kind}"`);
        else found.equal("answer", await answer(input as never), expect);
      });
    }
  }
  return Object.fromEntries(FILES.map((file) => [file, run]));
}
