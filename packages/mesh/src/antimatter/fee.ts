/** What the network asks of a payment (mesh.md 13). */
export const FEE_RATE = 0.01;
/** How far a payer's rate may lie from ours. */
const RATE_TOLERANCE = 0.001;

/** Whether payer and payee mean the same fee. */
export function agreesOnRate(rate: number): boolean {
  return Math.abs(rate - FEE_RATE) <= RATE_TOLERANCE + Number.EPSILON;
}

/** A finite number from 0 as a fraction of whole numbers: the digits it is written with, exactly. */
function fractionOf(value: number): { readonly digits: bigint; readonly divisor: bigint } | undefined {
  const [, whole = "", fraction = "", exponent = "0"] =
    /^(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(value)) ?? [];
  if (whole === "") return undefined;
  const scale = fraction.length - Number(exponent);
  const digits = BigInt(whole + fraction);
  return scale >= 0
    ? { digits, divisor: 10n ** BigInt(scale) }
    : { digits: digits * 10n ** BigInt(-scale), divisor: 1n };
}

/** The fee of an amount in the token's smallest unit: never more than the rate's share. */
export function feeOf(raw: bigint, rate: number): bigint {
  const share = fractionOf(rate);
  return share && raw > 0n ? (raw * share.digits) / share.divisor : 0n;
}
