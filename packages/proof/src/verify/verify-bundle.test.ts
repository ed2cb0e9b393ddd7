import { canon1OfJson } from "@darkmatter/core";
import { expect, test } from "vitest";
import { makeConversation } from "../testing/conversation.ts";
import { verifyInline } from "../testing/keys.ts";
import { PHASES } from "./report.ts";
import { verifyBundle } from "./verify-bundle.ts";

test("what each agent exports of one conversation is verified, phase by phase", async () => {
  const conversation = makeConversation({ seed: 1, splits: true });
  for (const name of ["ana", "bo", "cy", "dee"] as const) {
    const report = await verifyBundle(canon1OfJson(await conversation.bundleOf(name)), verifyInline);
    console.log(name, JSON.stringify(report, null, 1));
    expect(report.verdict).toBe("verified");
    expect(report.phases.map(({ phase }) => phase)).toEqual(PHASES);
  }
});
