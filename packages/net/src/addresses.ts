import ipaddr from "ipaddr.js";

/**
 * - `loopback`: this machine
 * - `private`: private, shared (100.64/10), documentation and benchmark ranges
 * - `public`: the rest of what is routed
 * - `forbidden`: never connected to: unspecified, link-local (cloud metadata), multicast, broadcast, reserved, and
 *   IPv6 forms that hide an IPv4 address; also whatever is no address at all
 */
export type AddressClass = "loopback" | "private" | "public" | "forbidden";

const V4_CLASSES: Readonly<Record<string, AddressClass>> = {
  loopback: "loopback",
  private: "private",
  // Home of VPN peers, and of the metadata service of one cloud.
  carrierGradeNat: "private",
  unicast: "public",
};

/** Reserved for documents and benchmarks: nobody's on the Internet, somebody's in a laboratory. */
const LABORATORY = ["192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"].map(
  (range) => ipaddr.IPv4.parseCIDR(range),
);
const DOCUMENTATION_V6 = ipaddr.IPv6.parseCIDR("2001:db8::/32");
/** The only part of IPv6 that is given out for global use (RFC 4291 2.4, IANA). */
const GLOBAL_V6 = ipaddr.IPv6.parseCIDR("2000::/3");
const NAT64 = ipaddr.IPv6.parseCIDR("64:ff9b::/96");

/** What kind of address a numeric one is. Any text that is not a plain IPv4 or IPv6 address is `forbidden`. */
export function addressClass(address: string): AddressClass {
  return classOfLiteral(address) ?? "forbidden";
}

/** Classes found lately: a node is called, and calls back, from few addresses, over and over. */
const classes = new Map<string, AddressClass | undefined>();
const CLASSES_MAX = 1000;
/** The longest way to write an IPv6 address. Longer texts are not worth remembering. */
const ADDRESS_CHARACTERS_MAX = 45;

/** The class of a numeric address, `undefined` for any other text. */
export function classOfLiteral(address: string): AddressClass | undefined {
  const known = classes.get(address);
  if (known !== undefined || classes.has(address)) return known;
  const parsed = parseAddress(address);
  const found = parsed && (parsed instanceof ipaddr.IPv4 ? classOfV4(parsed) : classOfV6(parsed));
  if (classes.size >= CLASSES_MAX) classes.clear();
  if (address.length <= ADDRESS_CHARACTERS_MAX) classes.set(address, found);
  return found;
}

function parseAddress(address: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(address)) return ipaddr.IPv4.parse(address);
  if (!ipaddr.IPv6.isValid(address)) return undefined;
  // ipaddr.js takes `::127.0.0.1` for `::ffff:127.0.0.1`: let the URL parser write it without dots. It also refuses
  // zones (`fe80::1%eth0`), which only link-local addresses have.
  const written = URL.parse(`http://[${address}]/`)?.hostname;
  return written ? ipaddr.IPv6.parse(written.slice(1, -1)) : undefined;
}

function classOfV4(address: ipaddr.IPv4): AddressClass {
  if (LABORATORY.some((range) => address.match(range))) return "private";
  return V4_CLASSES[address.range()] ?? "forbidden";
}

function classOfV6(address: ipaddr.IPv6): AddressClass {
  // Before any range: a rule on ::ffff:0:0/96 would match every IPv4 address.
  if (address.isIPv4MappedAddress()) return classOfV4(address.toIPv4Address());
  if (address.match(NAT64)) return classOfV4(lastV4(address)) === "public" ? "public" : "forbidden";
  const range = address.range();
  if (range === "loopback") return "loopback";
  if (range === "uniqueLocal" || address.match(DOCUMENTATION_V6)) return "private";
  // 6to4 and Teredo lie inside 2000::/3 with ranges of their own; IPv4-compatible addresses (::7f00:1) outside it.
  return range === "unicast" && address.match(GLOBAL_V6) ? "public" : "forbidden";
}

function lastV4(address: ipaddr.IPv6): ipaddr.IPv4 {
  return new ipaddr.IPv4(address.toByteArray().slice(12));
}

/** The private ranges of IPv4 differ in their first byte. */
const TUNNEL_BITS = 8;

/**
 * Whether a numeric address is in one of some networks, each written with an address and its prefix (`10.0.0.7/24`). A
 * network of that address alone is one end of a tunnel: its whole range counts, since all the others are behind it.
 */
export function isInNetworks(address: string, networks: readonly string[]): boolean {
  const parsed = parseAddress(address);
  return (
    parsed !== undefined &&
    networks.some((network) => {
      const [base, bits] = ipaddr.parseCIDR(network);
      if (base.kind() !== parsed.kind()) return false;
      const isTunnel = bits === base.toByteArray().length * 8;
      return (
        parsed.match(base, isTunnel ? TUNNEL_BITS : bits) && (!isTunnel || base.range() === parsed.range())
      );
    })
  );
}

/** Addresses of one household or one machine lie in a network of so many bits (RFC 4291 2.5.1). */
const SUBNET_BITS_V6 = 64;

/**
 * Whom a numeric address counts for: an IPv4 address itself (also one written as IPv6), the /64 of an IPv6 address, whose
 * holder has 2^64 of them. `undefined` for any other text.
 */
export function subscriberOf(address: string): string | undefined {
  const parsed = parseAddress(address);
  if (!parsed) return undefined;
  if (parsed instanceof ipaddr.IPv4) return parsed.toString();
  if (parsed.isIPv4MappedAddress()) return parsed.toIPv4Address().toString();
  const network = parsed.toByteArray().map((byte, at) => (at < SUBNET_BITS_V6 / 8 ? byte : 0));
  return `${new ipaddr.IPv6(network).toString()}/${SUBNET_BITS_V6}`;
}

/** The host without the brackets of IPv6, lower case. */
export function bareHost(host: string): string {
  return (host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host).toLowerCase();
}

/** Whether who listens at a host is reached by this machine alone. */
export function isLoopbackHost(host: string): boolean {
  return host === "localhost" || addressClass(bareHost(host)) === "loopback";
}

/** Whether a host is written as an address, in the form a parsed URL has. */
export function isAddressLiteral(host: string): boolean {
  return classOfLiteral(bareHost(host)) !== undefined;
}

const SHARED_V4 = ipaddr.IPv4.parseCIDR("100.64.0.0/10");

/**
 * Whether a host is this machine or in a network of its own, by what is written; names are not looked up (mesh.md 4).
 * Unlike `addressClass` it counts 100.64/10 and multicast as not private, as the nodes of the first generation do.
 */
export function isPrivateHost(host: string): boolean {
  const bare = bareHost(host);
  if (bare === "localhost" || bare.endsWith(".localhost")) return true;
  const address = parseAddress(bare);
  if (!address || address.range() === "multicast") return false;
  if (address instanceof ipaddr.IPv4 && address.match(SHARED_V4)) return false;
  return addressClass(bare) !== "public";
}
