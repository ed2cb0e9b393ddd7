/** An open data channel: reliable, ordered, text frames. */
export interface DataChannel {
  readonly isOpen: boolean;
  /** Hands a frame over; `false` when the channel is closed or takes no more now. */
  send(text: string): boolean;
  /** Every frame from now on; frames that came before the first listener are kept for it, within a bound. */
  onMessage(listener: (text: string) => void): void;
  /** Once, also when it is closed already. */
  onClose(listener: () => void): void;
  close(): void;
}

/** Our offer, every candidate in it. */
export interface Offering {
  readonly sdp: string;
  /** Takes the other side's answer; resolves once the channel is open. Rejects with CHANNEL_FAILED. */
  accept(answerSdp: string): Promise<DataChannel>;
  /** Gives up; harmless afterwards. */
  cancel(): void;
}

/** Our answer to an offer, every candidate in it. */
export interface Answering {
  readonly sdp: string;
  /** Resolves once the channel the other side opens is open. Rejects with CHANNEL_FAILED. */
  readonly channel: Promise<DataChannel>;
  cancel(): void;
}

/** mesh.md 10: gathering is waited for in full, without trickling. */
export const GATHERING_MS = 10_000;
export const OPENING_MS = 15_000;
/** The only data channel there is. */
export const CHANNEL_LABEL = "darkmatter";
/** A longer offer or answer is refused before it is parsed. */
export const SDP_BYTES_MAX = 64 * 1024;

/**
 * Direct connections through address translation. Rejects with CHANNEL_FAILED: no candidates, a description that
 * cannot be read or is longer than `SDP_BYTES_MAX`, not open within `OPENING_MS`.
 */
export interface WebRtc {
  offer(): Promise<Offering>;
  answer(offerSdp: string): Promise<Answering>;
  /** Closes every channel. */
  close(): Promise<void>;
}
