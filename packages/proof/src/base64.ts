/** Bytes as standard padded base64. */
export function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

/** The bytes of unpadded base64url of exactly that length, with no bits left over; `undefined` for anything else. */
export function base64UrlBytes(value: unknown, bytes: number): Uint8Array | undefined {
  if (typeof value !== "string" || value.length !== Math.ceil((bytes * 4) / 3) || !URL_SAFE.test(value)) {
    return undefined;
  }
  const standard = value.replaceAll("-", "+").replaceAll("_", "/");
  const decoded = Uint8Array.from(atob(standard), (char) => char.charCodeAt(0));
  return toBase64(decoded).replaceAll("=", "") === standard ? decoded : undefined;
}

const URL_SAFE = /^[A-Za-z0-9_-]+$/;
