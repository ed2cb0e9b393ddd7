import { type Random, toHex } from "@darkmatter/core";
import type { Refused } from "@darkmatter/surface";
import { outwardCode } from "./errors.ts";
import { answer } from "./json-text.ts";
import { serverHintOf } from "./log/errors.ts";

const REQUEST_ID_BYTES = 8;

/** A refusal as every client of the ledger reads it: `error` a sentence, `code` for programs. */
export function refusalOf({ status, code, message, hint, allow }: Refused, random: Random) {
  const isOurs = status >= 500;
  return answer(
    status,
    {
      error: message,
      code: outwardCode(code),
      hint: serverHintOf(code) ?? hint ?? hintTo(status),
      request_id: isOurs ? toHex(random.bytes(REQUEST_ID_BYTES)) : undefined,
    },
    allow === undefined ? {} : { allow },
  );
}

/** Whoever calls what is not there may look at what is. */
const hintTo = (status: number) =>
  status === 404 || status === 405 ? "All calls of this server are at /docs." : undefined;
