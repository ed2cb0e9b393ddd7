/** Packets of NAT-PMP (RFC 6886). Numbers are big-endian. */

export const NAT_PMP_PORT = 5351;
const ADDRESS = 0;
const MAP_TCP = 2;
const ANSWER = 128;

/** RFC 6886 3.2. */
export function addressRequest(): Uint8Array {
  return Uint8Array.from([0, ADDRESS]);
}

/** RFC 6886 3.3; lifetime 0 removes the mapping. */
export function mapRequest(internalPort: number, externalPort: number, lifetimeS: number): Uint8Array {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setUint8(1, MAP_TCP);
  view.setUint16(4, internalPort);
  view.setUint16(6, externalPort);
  view.setUint32(8, lifetimeS);
  return bytes;
}

/** The external address of an answer; `undefined` for a refusal and for what is no such answer. */
export function addressAnswer(bytes: Uint8Array): string | undefined {
  return isAnswer(bytes, ADDRESS, 12) ? bytes.subarray(8, 12).join(".") : undefined;
}

export interface MapAnswer {
  readonly internalPort: number;
  readonly externalPort: number;
  readonly lifetimeS: number;
}

export function mapAnswer(bytes: Uint8Array): MapAnswer | undefined {
  if (!isAnswer(bytes, MAP_TCP, 16)) return undefined;
  const view = viewOf(bytes);
  return { internalPort: view.getUint16(8), externalPort: view.getUint16(10), lifetimeS: view.getUint32(12) };
}

function isAnswer(bytes: Uint8Array, operation: number, length: number): boolean {
  if (bytes.length !== length) return false;
  const view = viewOf(bytes);
  // Version 0, the operation's answer, and result 0: success.
  return view.getUint8(0) === 0 && view.getUint8(1) === ANSWER + operation && view.getUint16(2) === 0;
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
