import { utf8 } from "@darkmatter/core";
import { addressClass } from "./addresses.ts";
import { SDP_BYTES_MAX } from "./web-rtc.ts";

/** As many as the native library looks at. */
const CANDIDATES_MAX = 20;
/** Ports below belong to services of the system; no data channel is opened from one. */
const PORT_LEAST = 1024;
/** What a description without a limit can take (RFC 8841 6.1). */
const MESSAGE_BYTES_DEFAULT = 65_536;
const MESSAGE_BYTES_MAX = 262_144;

const ICE = "[A-Za-z0-9+/]";
const UFRAG = new RegExp(`^(${ICE}{4,256})$`);
const PASSWORD = new RegExp(`^(${ICE}{22,256})$`);
const MID = /^([A-Za-z0-9_.-]{1,32})$/;
const SETUP = /^(actpass|active|passive)$/;
const NUMBER = /^(\d{1,10})$/;
/** What every library knows its certificate by. */
const FINGERPRINT = /^sha-256 ([0-9a-f]{2}(?::[0-9a-f]{2}){31})$/i;
const END_OF_CANDIDATES = "a=end-of-candidates";
const MEDIA = /^application \d{1,5} UDP\/DTLS\/SCTP webrtc-datachannel$/;
const CANDIDATE = new RegExp(
  `^(${ICE}{1,32}) 1 udp (\\d{1,10}) ([0-9a-f.:]{2,45}) (\\d{1,5}) typ (host|srflx|prflx|relay)( .*)?$`,
  "i",
);

/**
 * The other side's description, written anew from the few fields a data channel needs; `undefined` when it is too
 * long or one of them is missing or malformed. Nothing else in it reaches the native parser. Candidates that lead to
 * this machine, to addresses nobody may be sent to, or to ports of the system are left out, so that nobody who writes
 * or relays a description turns us into a scanner; names are never looked up. Without any candidate left it is
 * `undefined` too.
 */
export function cleanDescription(sdp: string): string | undefined {
  if (sdp.length > SDP_BYTES_MAX || utf8(sdp).length > SDP_BYTES_MAX) return undefined;
  const lines = sdp.split(/\r?\n/);
  const media = lines.filter((line) => line.startsWith("m="));
  if (media.length !== 1 || !MEDIA.test(media[0]?.slice("m=".length) ?? "")) return undefined;
  const read = (name: string, form: RegExp) => attribute(lines, name, form);
  const [ufrag, password] = [read("ice-ufrag", UFRAG), read("ice-pwd", PASSWORD)];
  const [fingerprint, setup] = [fingerprintIn(lines), read("setup", SETUP)];
  const [mid, port] = [read("mid", MID), Number(read("sctp-port", NUMBER))];
  const candidates = candidatesIn(lines);
  if (!ufrag || !password || !fingerprint || !setup || !mid || candidates.length === 0) return undefined;
  if (!(port >= 1 && port <= 65_535)) return undefined;
  const bytes = Number(read("max-message-size", NUMBER) ?? MESSAGE_BYTES_DEFAULT);
  return [
    "v=0",
    "o=- 1 1 IN IP4 0.0.0.0",
    "s=-",
    "t=0 0",
    `a=group:BUNDLE ${mid}`,
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    "c=IN IP4 0.0.0.0",
    `a=mid:${mid}`,
    "a=sendrecv",
    `a=ice-ufrag:${ufrag}`,
    `a=ice-pwd:${password}`,
    `a=fingerprint:sha-256 ${fingerprint}`,
    `a=setup:${setup}`,
    `a=sctp-port:${port}`,
    // 0 stands for no limit.
    `a=max-message-size:${Math.min(bytes || MESSAGE_BYTES_MAX, MESSAGE_BYTES_MAX)}`,
    ...candidates.map((candidate) => `a=candidate:${candidate}`),
    END_OF_CANDIDATES,
    "",
  ].join("\r\n");
}

export interface Candidate {
  /** `a=candidate:…` */
  readonly line: string;
  /** The medium it leads to. */
  readonly mid: string;
}

/** What `cleanDescription` wrote, without its candidates, and those. */
export function candidatesApart(description: string): {
  readonly bare: string;
  readonly candidates: readonly Candidate[];
} {
  const lines = description.split("\r\n");
  const isCandidate = (line: string) => line.startsWith("a=candidate:");
  const mid = attribute(lines, "mid", MID) ?? "";
  return {
    bare: lines.filter((line) => !isCandidate(line) && line !== END_OF_CANDIDATES).join("\r\n"),
    candidates: lines.filter(isCandidate).map((line) => ({ line, mid })),
  };
}

/** Whether a description of our own holds any way to reach us. */
export function hasCandidates(sdp: string): boolean {
  return /^a=candidate:/m.test(sdp);
}

/** The first value of an attribute, of the session or of the only medium, if it has the right form. */
function attribute(lines: readonly string[], name: string, form: RegExp): string | undefined {
  const found = lines.find((line) => line.startsWith(`a=${name}:`))?.slice(name.length + 3);
  return found && form.exec(found)?.[1];
}

/** The hash of the other side's certificate: `0D:66:…`, 32 bytes. */
export function fingerprintIn(lines: readonly string[]): string | undefined {
  for (const line of lines) {
    const found =
      line.startsWith("a=fingerprint:") && FINGERPRINT.exec(line.slice("a=fingerprint:".length))?.[1];
    if (found) return found.toUpperCase();
  }
  return undefined;
}

function candidatesIn(lines: readonly string[]): readonly string[] {
  const kept = new Map<string, { readonly priority: number; readonly text: string }>();
  for (const line of lines) {
    if (!line.startsWith("a=candidate:")) continue;
    const [, foundation, rank, address = "", portText, type] =
      CANDIDATE.exec(line.slice("a=candidate:".length)) ?? [];
    const [priority, port] = [Number(rank), Number(portText)];
    if (!type || kept.has(`${address} ${port}`)) continue;
    // RFC 8445 5.1.2: from 1 to 2^31 - 1.
    if (priority < 1 || priority > 2 ** 31 - 1 || port < PORT_LEAST || port > 65_535) continue;
    const reach = addressClass(address);
    if (reach === "forbidden" || reach === "loopback") continue;
    // Related addresses are for people: a reflexive candidate needs them to be well-formed, not to be true.
    const related = type.toLowerCase() === "host" ? "" : " raddr 0.0.0.0 rport 0";
    const text = `${foundation} 1 UDP ${priority} ${address} ${port} typ ${type.toLowerCase()}${related}`;
    kept.set(`${address} ${port}`, { priority, text });
  }
  const best = [...kept.values()].sort((one, other) => other.priority - one.priority);
  return best.slice(0, CANDIDATES_MAX).map(({ text }) => text);
}
