import { expect, test } from "vitest";
import type { Connection } from "./connection.ts";
import { createPeerUrls } from "./peer-urls.ts";

const peerAt = (url: string, lanUrl: string | null = null) =>
  ({ agentId: "ab".repeat(32), url, lanUrl }) as unknown as Connection;
const LAN = "http://192.168.1.7:8100";

test("a neighbour behind our router is reached by its LAN address first, another never by one", () => {
  const urls = createPeerUrls(() => "5.6.7.8");
  expect(urls.of(peerAt("http://5.6.7.8:41000/mcp", LAN))).toEqual([LAN, "http://5.6.7.8:41000"]);
  expect(urls.of(peerAt("http://5.6.7.9:41000", LAN))).toEqual(["http://5.6.7.9:41000"]);
  expect(createPeerUrls(() => undefined).of(peerAt("http://5.6.7.8:41000", LAN))).toEqual([
    "http://5.6.7.8:41000",
  ]);
});

test("the place that last worked comes first, as long as it is one of the peer's", () => {
  const urls = createPeerUrls(() => "5.6.7.8");
  const peer = peerAt("http://5.6.7.8:41000", LAN);
  urls.worked(peer.agentId, "http://5.6.7.8:41000");
  expect(urls.of(peer)).toEqual(["http://5.6.7.8:41000", LAN]);
  urls.worked(peer.agentId, "http://5.6.7.8:9");
  expect(urls.of(peer)).toEqual([LAN, "http://5.6.7.8:41000"]);
});
