import { setTimeout as sleep } from "node:timers/promises";
import { isoTime } from "@darkmatter/core";
import { createSigner, peerUpdateText, signText } from "@darkmatter/identity";
import { expect, test } from "vitest";
import { command, real } from "./testing/commands.ts";
import { testHome } from "./testing/program.ts";

const SLOW = { timeout: 60_000 };
const signer = createSigner("11".repeat(32));

async function register(anchor: string): Promise<number> {
  const timestamp = isoTime(Date.now());
  const newUrl = "http://198.51.100.4:8100";
  const body = {
    agent_id: signer.agentId,
    new_url: newUrl,
    timestamp,
    public_key_hex: signer.agentId,
    signature: signText(signer, peerUpdateText({ agentId: signer.agentId, newUrl, timestamp })),
  };
  const headers = { "content-type": "application/json" };
  const call = { method: "POST", headers, body: JSON.stringify(body) };
  return (await fetch(`${anchor}/__darkmatter__/peer_update`, call)).status;
}

test("an anchor keeps what it knows over a stop, and lets no second process at it", SLOW, async () => {
  using home = testHome();
  {
    await using first = real(home, ["serve", "anchor", "--port", "0", "--json"]);
    const { url, state } = await first.firstLine();
    expect(new URL(url).hostname).toBe("127.0.0.1");
    expect(state).toContain(home.home);
    expect(await register(url)).toBe(200);

    const second = await command(home, "serve", "anchor", "--port", "0");
    expect(second.code).toBe(1);
    expect(second.said.hint).toContain("--home");

    first.child.kill("SIGINT");
    expect(await first.exited).toBe(0);
  }
  await using again = real(home, ["serve", "anchor", "--port", "0", "--json"]);
  const { url } = await again.firstLine();
  const found = await fetch(`${url}/__darkmatter__/peer_lookup/${signer.agentId}`);
  expect(await found.json()).toMatchObject({ url: "http://198.51.100.4:8100" });
});

test("an anchor that is killed frees its state at once", SLOW, async () => {
  using home = testHome();
  {
    await using first = real(home, ["serve", "anchor", "--port", "0", "--json"]);
    const { url } = await first.firstLine();
    expect(await register(url)).toBe(200);
    first.child.kill("SIGKILL");
    await first.exited;
    await sleep(0);
  }
  await using again = real(home, ["serve", "anchor", "--port", "0", "--json"]);
  const { url } = await again.firstLine();
  expect((await fetch(`${url}/__darkmatter__/peer_lookup/${signer.agentId}`)).status).toBe(200);
});

test("a port that is none is a mistake of usage", SLOW, async () => {
  using home = testHome();
  for (const port of ["x", "70000", "-1"]) {
    expect((await command(home, "serve", "anchor", `--port=${port}`)).code).toBe(2);
  }
});
