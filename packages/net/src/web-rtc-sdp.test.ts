import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SDP_BYTES_MAX } from "./index.ts";
import { cleanDescription } from "./web-rtc-sdp.ts";

const FINGERPRINT = Array.from({ length: 32 }, (_, n) => n.toString(16).padStart(2, "0")).join(":");
const HOST = "a=candidate:1 1 UDP 2114977791 192.168.1.5 40000 typ host";
const LINES = [
  "v=0",
  "o=rtc 2902698563 0 IN IP4 127.0.0.1",
  "s=-",
  "t=0 0",
  "a=group:BUNDLE 0",
  `a=fingerprint:sha-256 ${FINGERPRINT}`,
  "m=application 38588 UDP/DTLS/SCTP webrtc-datachannel",
  "c=IN IP4 10.9.0.1",
  "a=mid:0",
  "a=sctp-port:5000",
  "a=setup:actpass",
  "a=ice-ufrag:BSeI",
  "a=ice-pwd:edxTDsfcL2iz2oX6Zn4pTv",
];
const described = (...candidates: string[]) => [...LINES, ...candidates, ""].join("\r\n");
const candidate = (address: string, port: number | string = 40_000, more = "typ host") =>
  `a=candidate:1 1 UDP 2114977791 ${address} ${port} ${more}`;
const kept = (...candidates: string[]) =>
  (cleanDescription(described(HOST, ...candidates)) ?? "")
    .split("\r\n")
    .filter((line) => line.startsWith("a=candidate:"))
    .slice(1)
    .map((line) => line.split(" ")[4]);

test("what a data channel needs is written anew, and nothing else is taken over", () => {
  const sdp = described(
    HOST,
    "a=x-secret:1",
    "a=ice-lite",
    "a=candidate:2 1 tcp 1 192.168.1.5 9 typ host tcptype active",
  );
  expect(cleanDescription(sdp)?.split("\r\n")).toEqual([
    "v=0",
    "o=- 1 1 IN IP4 0.0.0.0",
    "s=-",
    "t=0 0",
    "a=group:BUNDLE 0",
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    "c=IN IP4 0.0.0.0",
    "a=mid:0",
    "a=sendrecv",
    "a=ice-ufrag:BSeI",
    "a=ice-pwd:edxTDsfcL2iz2oX6Zn4pTv",
    `a=fingerprint:sha-256 ${FINGERPRINT.toUpperCase()}`,
    "a=setup:actpass",
    "a=sctp-port:5000",
    "a=max-message-size:65536",
    HOST,
    "a=end-of-candidates",
    "",
  ]);
});

test("lines may end without a carriage return, and candidates be written in small letters", () => {
  const small = candidate("10.0.0.9").replace("UDP", "udp");
  expect(cleanDescription(described(small).replaceAll("\r", ""))).toContain(candidate("10.0.0.9"));
});

describe("candidates that a peer may be at", () => {
  test.each(["192.168.7.9", "10.1.2.3", "100.64.0.5", "8.8.4.4", "2001:4860::1", "fd00::5"])(
    "%s stays",
    (address) => {
      expect(kept(candidate(address))).toEqual([address]);
    },
  );
  test("what the other side's network shows of it stays, without its inner address", () => {
    const seen = candidate("8.8.4.4", 5000, "typ srflx raddr 192.168.1.5 rport 40000");
    expect(cleanDescription(described(seen))).toContain("8.8.4.4 5000 typ srflx raddr 0.0.0.0 rport 0\r\n");
  });
});

describe("candidates that would have us send where no peer is", () => {
  test.each([
    "169.254.169.254",
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "224.0.0.251",
    "239.77.68.77",
    "255.255.255.255",
    "240.0.0.1",
    "::1",
    "::",
    "fe80::1",
    "ff02::fb",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::7f00:1",
    "64:ff9b::7f00:1",
    "2130706433",
    "127.1",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "localhost",
    "metadata.internal",
    "4b2c.local",
    "fe80::1%eth0",
  ])("%s goes", (address) => {
    expect(kept(candidate(address))).toEqual([]);
  });

  test.each([0, 22, 53, 1023, 65_536, "99999999999", "-1", "1e4"])("port %s goes", (port) => {
    expect(kept(candidate("192.168.7.9", port))).toEqual([]);
  });

  test("there are never more than twenty, the best of them", () => {
    const many = Array.from(
      { length: 300 },
      (_, n) => `a=candidate:1 1 UDP ${n + 1} 10.0.${n >> 8}.${n & 255} 40000 typ host`,
    );
    const clean = cleanDescription(described(...many)) ?? "";
    expect(clean.match(/^a=candidate:/gm)).toHaveLength(20);
    expect(clean).toContain("UDP 300 10.0.1.43 ");
  });

  test("a description is of no use when none is left", () => {
    expect(cleanDescription(described(candidate("127.0.0.1")))).toBeUndefined();
  });
});

describe("a description that is refused", () => {
  test.each([
    ["without a user fragment", "a=ice-ufrag:BSeI", ""],
    ["with a short password", "edxTDsfcL2iz2oX6Zn4pTv", "short"],
    ["with a hash that can be forged", "sha-256", "sha-1"],
    ["with half a hash", FINGERPRINT, FINGERPRINT.slice(0, 47)],
    ["with a port no association has", "sctp-port:5000", "sctp-port:70000"],
    ["with a role there is not", "actpass", "holdconn"],
    ["about sound", "m=application", "m=audio"],
    ["about two media", "c=IN IP4 10.9.0.1", "m=application 9 UDP/DTLS/SCTP webrtc-datachannel"],
  ])("%s", (_what, from, to) => {
    const sdp = described(HOST);
    expect(cleanDescription(sdp)).toBeDefined();
    expect(cleanDescription(sdp.replace(from, to))).toBeUndefined();
  });

  test("longer than 64 KiB, counted in bytes", () => {
    const filled = (letter: string, count: number) => described(HOST, `a=x:${letter.repeat(count)}`);
    expect(cleanDescription(filled("x", SDP_BYTES_MAX / 2))).toBeDefined();
    expect(cleanDescription(filled("€", SDP_BYTES_MAX / 2))).toBeUndefined();
    expect(cleanDescription(filled("x", 1024 * 1024))).toBeUndefined();
  });
});

test("whatever comes in, only well-formed lines go out", () => {
  const line = fc.oneof(
    fc.constantFrom(...LINES, HOST),
    fc.string({ unit: "binary" }),
    fc
      .tuple(fc.constantFrom("a=mid:", "a=setup:", "a=ice-pwd:", "a=candidate:1 1 UDP 5 "), fc.string())
      .map((it) => it.join("")),
  );
  const allowed =
    /^([vost]=[ -~]+|c=IN IP4 0\.0\.0\.0|m=application 9 UDP\/DTLS\/SCTP webrtc-datachannel|a=[a-z-]+(:[A-Za-z0-9+/:._ -]+)?|)$/;
  fc.assert(
    fc.property(fc.array(line, { maxLength: 30 }), (more) => {
      const clean = cleanDescription([...LINES, HOST, ...more].join("\r\n"));
      return clean?.split("\r\n").every((one) => allowed.test(one)) ?? true;
    }),
    { numRuns: 25 },
  );
});
