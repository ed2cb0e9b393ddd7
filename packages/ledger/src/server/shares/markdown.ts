import { cutCodePoints } from "@darkmatter/core";

const TEXT_CODE_POINTS_MAX = 200;

/**
 * A stranger's text in Markdown: one line, which shows what it says and does nothing. HTML becomes entities, which every
 * renderer reads; the rest of what Markdown gives a meaning to, mentions and bare links included, is escaped.
 */
export function markdownText(text: string): string {
  return cutCodePoints(text, TEXT_CODE_POINTS_MAX)
    .replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, " ")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replace(/[\\`*_{}[\]()#!|~:@$^=+-]/g, "\\$&")
    .replace(/\bwww\./gi, (match) => match.replace(".", "\\."));
}
