export { systemClock } from "./adapters/system-clock.ts";
export { systemRandom } from "./adapters/system-random.ts";
export * from "./bytes.ts";
export {
  canon1,
  canon1OfJson,
  canon1OfText,
  canonE,
  legacyText,
  type MemberText,
  readMemberTexts,
  writeExactJson,
} from "./canonical.ts";
export * from "./clock.ts";
export * from "./errors.ts";
export {
  type ExactJson,
  ExactNumber,
  type ExactObject,
  exactOf,
  isExactObject,
  readExactJson,
  readExactObject,
} from "./exact-json.ts";
export * from "./files.ts";
export * from "./hash.ts";
export * from "./ids.ts";
export * from "./json.ts";
export { exactJsonError } from "./json-errors.ts";
export { EXACT_DEPTH_MAX, type JsonBuilder, readJson, stringValue } from "./json-reader.ts";
export * from "./keys.ts";
export * from "./random.ts";
export * from "./times.ts";
