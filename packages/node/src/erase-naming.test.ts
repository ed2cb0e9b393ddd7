import { systemClock } from "@darkmatter/core";
import { createSigner, messageText, signText } from "@darkmatter/identity";
import { expect, test } from "vitest";
import { command, real, typed } from "./testing/commands.ts";
import { testHome } from "./testing/program.ts";

/** A signed message by a stranger, under an id of its choice. */
async function sendAs(seed: number, url: string, messageId: string): Promise<void> {
  const signer = createSigner(new Uint8Array(32).fill(seed));
  const from = signer.agentId;
  const timestamp = new Date(systemClock.now()).toISOString();
  const content = `said under ${messageId}`;
  const answer = await fetch(`${url}/__darkmatter__/message`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      message_id: messageId,
      content,
      webhook: "http://127.0.0.1:1/__darkmatter__/webhook/x",
      from_agent_id: from,
      from_public_key_hex: from,
      timestamp,
      metadata: {},
      signature_hex: signText(signer, messageText({ from, messageId, timestamp, content })),
    }),
  });
  expect(answer.status).toBe(200);
}

test("a number is a commit of the list, whatever a stranger calls its messages", {
  timeout: 90_000,
}, async () => {
  using ana = testHome();
  await using node = real(ana, ["up", "--json"]);
  const { url } = await node.firstLine();
  await sendAs(1, url, "1");
  await sendAs(2, url, "msg-of-a-friend");
  const [newest] = (await command(ana, "recent")).said.commits;
  expect(newest).toMatchObject({ trace: "msg-of-a-friend" });

  const { out } = await typed(ana, "erase", "1", "--yes");

  expect(out).toContain(newest.commit);
  expect(out).not.toContain("What the node goes by now stays");
  expect((await command(ana, "replay", "msg-of-a-friend", "--full")).said.steps[0].fields).toMatchObject([
    { name: "content", erased_at: expect.any(String) },
    { name: "metadata", erased_at: expect.any(String) },
    { name: "signed", erased_at: expect.any(String) },
  ]);
});
