import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { netError } from "./errors.ts";
import {
  type AddressClass,
  addressClass,
  admitUrl,
  baseUrl,
  isLocalUrl,
  isLoopbackUrl,
  isPrivateHost,
  mayReach,
  reachableAddresses,
  urlSecurity,
  validateUrl,
} from "./index.ts";

const vectors = JSON.parse(
  readFileSync(new URL("../../../vectors/mesh/validation.json", import.meta.url), "utf8"),
) as {
  validate_url: { url: string; error: string | null }[];
  is_private_ip: { host: string; private: boolean }[];
  is_local_url: { url: string; local: boolean }[];
  strip_base_url: { url: string; base: string }[];
  assess_url_security: { url: string; secure: boolean; warning: string | null; is_local: boolean }[];
};

describe("as in the reference", () => {
  test.each(vectors.strip_base_url)("the base of $url is $base", ({ url, base }) => {
    expect(baseUrl(url)).toBe(base);
  });

  /** No port is that high: refusing more than the reference is right (mesh.md 4). */
  const REFUSED_HERE = "http://host:99999/";
  test.each(vectors.validate_url.map((one) => ({ ...one, shown: one.url.slice(0, 40) })))(
    "$shown is usable or not",
    ({ url, error }) => {
      expect(validateUrl(url) === undefined).toBe(error === null && url !== REFUSED_HERE);
    },
  );

  test.each(vectors.is_private_ip)("$host is private: $private", (vector) => {
    expect(isPrivateHost(vector.host)).toBe(vector.private);
  });

  test.each(vectors.is_local_url)("$url is local: $local", ({ url, local }) => {
    expect(isLocalUrl(url)).toBe(local);
  });

  test.each(vectors.assess_url_security)(
    "$url is secure: $secure",
    ({ url, secure, warning, is_local: isLocal }) => {
      expect(urlSecurity(url)).toEqual({ secure, warning, isLocal });
    },
  );
});

describe("urls", () => {
  test.each([
    ["a user name", "http://user@example.com/"],
    ["a password", "http://user:secret@example.com/"],
    ["a line break the parser would drop", "http://exa\nmple.com/"],
    ["a tab the parser would drop", "ht\ttp://example.com/"],
    ["a blank in front", " http://example.com/"],
    ["backslashes the parser would turn", "http:\\\\example.com/"],
    ["a backslash before the host", "http://good.example\\@evil.example/"],
    ["one slash", "http:/example.com"],
    ["three slashes", "http:///example.com"],
    ["no host before the port", "http://:80/"],
    ["a zone", "http://[fe80::1%25eth0]/"],
  ])("%s is refused", (_what, url) => {
    expect(validateUrl(url)).toEqual(expect.any(String));
    expect(isLocalUrl(url)).toBe(false);
    expect(() => admitUrl(url)).toThrow(expect.objectContaining({ code: "ADDRESS_REFUSED" }));
  });

  test("2048 characters are taken, one more is not, and astral ones count once", () => {
    const long = (length: number) => "http://h/".padEnd(length, "x");
    expect(validateUrl(long(2048))).toBeUndefined();
    expect(validateUrl(long(2049))).toBeDefined();
    expect(validateUrl(`http://h/${"🚀".repeat(2039)}`)).toBeUndefined();
  });

  test("no text makes any rule throw, and a refusal never repeats the text", () => {
    const urlish = fc.oneof(
      fc.string({ unit: "binary", maxLength: 60 }),
      fc.webUrl(),
      fc
        .tuple(fc.constantFrom("http://", "https://", "HTTP:/", "//"), fc.string({ maxLength: 40 }))
        .map((parts) => parts.join("")),
    );
    fc.assert(
      fc.property(urlish, (url) => {
        const problem = validateUrl(url);
        if (problem === undefined) expect(URL.canParse(url)).toBe(true);
        else if (url.length > 20) expect(problem).not.toContain(url);
        baseUrl(url);
        isLocalUrl(url);
        isLoopbackUrl(url);
        urlSecurity(url);
        isPrivateHost(url);
      }),
      { numRuns: 500 },
    );
  });

  test("a base has no trailing slash and no more than one suffix less", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("/", "mcp", "/mcp", "/__darkmatter__", "x"), { maxLength: 8 }),
        (parts) => {
          const url = `http://h${parts.join("")}`;
          const base = baseUrl(url);
          return ["", "/mcp", "/__darkmatter__"].some((suffix) => url.replace(/\/*$/, "") === base + suffix);
        },
      ),
    );
    expect(baseUrl(`http://h${"/".repeat(100_000)}x`)).toHaveLength(100_009);
  });

  test("loopback means this machine and no other", () => {
    const loopback = [
      "http://localhost:1",
      "http://127.9.9.9",
      "http://[::1]:8100",
      "http://[::ffff:127.0.0.1]",
      "http://2130706433",
    ];
    for (const url of loopback) expect(isLoopbackUrl(url)).toBe(true);
    const elsewhere = [
      "http://10.0.0.1",
      "http://0.0.0.0",
      "http://localhost.example",
      "http://127.0.0.1.example",
      "nonsense",
    ];
    for (const url of elsewhere) expect(isLoopbackUrl(url)).toBe(false);
  });
});

describe("addresses", () => {
  const CLASSES: Record<AddressClass, string[]> = {
    loopback: ["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "0:0:0:0:0:0:0:1"],
    private: [
      "10.0.0.1",
      "172.16.0.1",
      "172.31.255.255",
      "192.168.0.1",
      "100.64.0.1",
      "100.100.100.200",
      "192.0.2.1",
      "198.18.0.1",
      "203.0.113.1",
      "fc00::1",
      "fd12::9",
      "2001:db8::1",
      "::ffff:10.0.0.1",
    ],
    public: ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"],
    forbidden: [
      "0.0.0.0",
      "0.1.2.3",
      "169.254.169.254",
      "224.0.0.1",
      "239.255.255.255",
      "240.0.0.1",
      "255.255.255.255",
      "192.88.99.1",
      "::",
      "::127.0.0.1",
      "::8.8.8.8",
      "::ffff:169.254.1.1",
      "::ffff:0.0.0.0",
      "::ffff:0:127.0.0.1",
      "64:ff9b::127.0.0.1",
      "64:ff9b::10.0.0.1",
      "64:ff9b::a9fe:a9fe",
      "64:ff9b:1::1",
      "2002:7f00:1::",
      "2002:808:808::",
      "2001::1",
      "fe80::1",
      "fe80::1%eth0",
      "febf::1",
      "fec0::1",
      "ff02::1",
      "100::1",
      "4000::1",
      "",
      "localhost",
      "127.1",
      "0x7f.0.0.1",
      "0177.0.0.1",
      "127.0.0.1 ",
      "[::1]",
    ],
  };
  for (const [kind, addresses] of Object.entries(CLASSES)) {
    test.each(addresses)(`"%s" is ${kind}`, (address) => {
      expect(addressClass(address)).toBe(kind);
      expect(mayReach(address, "public")).toBe(kind === "public");
      expect(mayReach(address, "private")).toBe(kind !== "forbidden");
    });
  }

  test("an IPv4 address written inside IPv6 is never worth more than itself", () => {
    fc.assert(
      fc.property(
        fc.ipV4(),
        fc.constantFrom("::ffff:", "::", "64:ff9b::", "::ffff:0:"),
        (address, prefix) => {
          expect([addressClass(address), "forbidden"]).toContain(addressClass(prefix + address));
        },
      ),
    );
  });

  test("of several addresses the admitted ones remain, and none is a refusal", () => {
    expect(reachableAddresses(["10.0.0.1", "8.8.8.8", "::1"], "public")).toEqual(["8.8.8.8"]);
    expect(reachableAddresses(["10.0.0.1", "169.254.1.1"], "private")).toEqual(["10.0.0.1"]);
    expect(() => reachableAddresses(["10.0.0.1"], "public")).toThrow(netError("ADDRESS_REFUSED"));
    expect(() => reachableAddresses([], "private")).toThrow(netError("ADDRESS_REFUSED"));
  });
});
