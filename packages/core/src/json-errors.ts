import { type ErrorKind, errorsOf } from "./errors.ts";

const kind = (message: string, hint: string): ErrorKind => ({ status: 400, retryable: false, message, hint });

const KINDS = {
  invalid_json: kind("This is not JSON.", "Correct it at the position named and send it again."),
  duplicate_key: kind("An object holds a key twice.", "Leave one of the two out."),
  lone_surrogate: kind("A string holds half of a surrogate pair.", "Send whole characters."),
  non_finite_number: kind("A number is too large for a double.", "Send it as a string."),
  number_too_long: kind("An integer has more than 1000 digits.", "Send it as a string."),
  too_many_values: {
    status: 413,
    retryable: false,
    message: "This JSON holds too many members and items.",
    hint: "Send what is large as a text, or keep it elsewhere and send its hash.",
  },
  too_deep: kind("Arrays and objects nest too deep.", "Send it flatter."),
  not_an_object: kind("This is JSON, but not an object.", "Put the value into an object."),
} satisfies Record<string, ErrorKind>;

export type ExactJsonErrorCode = keyof typeof KINDS;

/** Why a JSON text, or a value that should become one, is refused (ledger.md 2.1). */
export const exactJsonError = errorsOf<ExactJsonErrorCode>(KINDS);

export function refuseMore(maxValues: number): never {
  throw exactJsonError("too_many_values", `This JSON holds more than ${maxValues} members and items.`);
}

/** @param at UTF-16 units from 0, as in the errors of `JSON.parse` */
export function refuseAt(code: ExactJsonErrorCode, at: number): never {
  throw exactJsonError(code, `${KINDS[code].message.slice(0, -1)} (at position ${at}).`);
}
