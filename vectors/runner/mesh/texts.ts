import { isFresh, isoTime, type Json, parseTime } from "@darkmatter/core";
import { validateWebhook } from "@darkmatter/mesh/testing";
import { baseUrl, isLocalUrl, isPrivateHost, urlSecurity, validateUrl } from "@darkmatter/net";
import { type Outcome, ran } from "../outcome.ts";

interface TimesDocument {
  readonly now: string;
  readonly cases: ReadonlyArray<{ timestamp: string; fresh: boolean }>;
  readonly isoformat_examples: ReadonlyArray<{ unix: number; text: string }>;
}

/** What counts as fresh, and how times are written (mesh.md 2). */
export async function* timestamps(document: Json): AsyncIterable<Outcome> {
  const { now, cases, isoformat_examples: examples } = document as unknown as TimesDocument;
  const nowMs = parseTime(now) ?? Number.NaN;
  for (const { timestamp, fresh } of cases) {
    yield ran(`'${timestamp}'`, (found) => found.equal("fresh", isFresh(timestamp, nowMs), fresh));
  }
  for (const { unix, text } of examples) {
    yield ran(`${unix} is ${text}`, (found) => {
      found.holds("it is read to the microsecond", Math.abs((parseTime(text) ?? 0) - unix * 1000) < 0.002);
      // 0, 3 or 6 fraction digits are allowed; ours are as many as milliseconds need.
      const written = isoTime(unix * 1000);
      found.holds(
        `${written} has 0, 3 or 6 digits and +00:00`,
        /:\d\d(\.\d{3}(\d{3})?)?\+00:00$/.test(written),
      );
      found.holds(`${written} is that time`, Math.abs((parseTime(written) ?? 0) - unix * 1000) < 1);
      if (Number.isInteger(unix)) found.equal("text", written, text);
    });
  }
}

interface ValidationDocument {
  readonly validate_url: ReadonlyArray<{ url: string; error: string | null }>;
  readonly is_private_ip: ReadonlyArray<{ host: string; private: boolean }>;
  readonly is_local_url: ReadonlyArray<{ url: string; local: boolean }>;
  readonly strip_base_url: ReadonlyArray<{ url: string; base: string }>;
  readonly validate_webhook_url: ReadonlyArray<{ url: string; error: string | null; note: string | null }>;
  readonly assess_url_security: ReadonlyArray<{
    url: string;
    secure: boolean;
    warning: string | null;
    is_local: boolean;
  }>;
}

const brief = (text: string) => (text.length > 60 ? `${text.slice(0, 60)}…` : text);

/** The rules for URLs and hosts (mesh.md 4 and 7.3). */
export async function* validation(document: Json): AsyncIterable<Outcome> {
  const rules = document as unknown as ValidationDocument;
  for (const { url, error } of rules.validate_url) {
    yield ran(`validate_url ${brief(url)}`, (found) => {
      const refused = validateUrl(url) !== undefined;
      // Refusing more is fine where a URL parser of today finds no URL (mesh.md 4).
      if (refused && error === null && !URL.canParse(url)) return;
      found.equal("refused", refused, error !== null);
    });
  }
  for (const { host, private: expected } of rules.is_private_ip) {
    yield ran(`is_private_ip ${host}`, (found) => found.equal("private", isPrivateHost(host), expected));
  }
  for (const { url, local } of rules.is_local_url) {
    yield ran(`is_local_url ${url}`, (found) => found.equal("local", isLocalUrl(url), local));
  }
  for (const { url, base } of rules.strip_base_url) {
    yield ran(`strip_base_url ${url}`, (found) => found.equal("base", baseUrl(url), base));
  }
  for (const { url, error, note } of rules.validate_webhook_url) {
    yield ran(`validate_webhook_url ${brief(url)}`, (found) => {
      const isStricter = note?.includes("stricter") ?? false;
      found.equal("refused", validateWebhook(url) !== undefined, error !== null || isStricter);
    });
  }
  for (const { url, secure, warning, is_local: isLocal } of rules.assess_url_security) {
    yield ran(`assess_url_security ${url}`, (found) => {
      const ours = urlSecurity(url);
      found.equal("secure", ours.secure, secure);
      found.equal("warns", ours.warning !== null && ours.warning !== "", warning !== null);
      found.equal("local", ours.isLocal, isLocal);
    });
  }
}
