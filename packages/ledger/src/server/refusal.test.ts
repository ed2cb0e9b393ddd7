import { seededRandom } from "@darkmatter/core/testing";
import { expect, test } from "vitest";
import { ledgerError } from "../errors.ts";
import { inServerWords } from "./log/errors.ts";
import { refusalOf } from "./refusal.ts";

test("damage is told with the command of a server's operator, not with a node's", () => {
  const damaged = ledgerError("LEDGER_DAMAGED", "The commit at position 7 is missing.");
  const { status, code, message, hint } = damaged;
  const { body } = refusalOf({ status, code, message, hint, allow: undefined }, seededRandom(1));
  expect(String(body)).toContain("darkmatter ledger check");
  const said = inServerWords(damaged);
  expect(said).toMatchObject({
    code,
    status,
    message,
    hint: expect.stringContaining("darkmatter ledger check"),
  });
  for (const text of [String(body), JSON.stringify(said)]) expect(text).not.toContain("fsck");
  const other = ledgerError("LOG_SIZE");
  expect(inServerWords(other)).toBe(other);
});
