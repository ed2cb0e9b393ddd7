import type { Dispatcher } from "undici";
import { netError } from "../errors.ts";
import type { Headers, StreamedAnswer } from "../wire.ts";
import { flatHeaders } from "./exchange.ts";

/** Bytes taken from the other side ahead of who reads them. */
const AHEAD_BYTES = 64 * 1024;

/** One request whose answer is read as it comes, no faster than it is asked for. */
export class StreamedExchange implements Dispatcher.DispatchHandler {
  /** Resolves with the head of the answer. */
  readonly answer: Promise<StreamedAnswer>;
  readonly #maxBytes: number;
  #resolve!: (answer: StreamedAnswer) => void;
  #reject!: (error: unknown) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #pieces: Uint8Array[] = [];
  #ahead = 0;
  #bytes = 0;
  #failure: { readonly error: Error } | undefined;
  #isOver = false;
  #wake: () => void = () => undefined;

  constructor(agent: Dispatcher, options: Dispatcher.DispatchOptions, maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    try {
      agent.dispatch(options, this);
    } catch (error) {
      this.#reject(error);
    }
  }

  /** It has a connection: bytes may have left. */
  get hasBegun(): boolean {
    return this.#controller !== undefined;
  }

  /** Ends it, whether the request waits, travels or is being answered. */
  abort(reason: Error): void {
    if (this.#isOver) return;
    this.#fail(reason);
    this.#controller?.abort(reason);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#failure) controller.abort(this.#failure.error);
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    statusCode: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    // 1xx: the answer proper follows.
    if (statusCode < 200) return;
    const flat: Headers = flatHeaders(headers);
    this.#resolve({ status: statusCode, headers: flat, body: this.#read() });
  }

  onResponseData(controller: Dispatcher.DispatchController, piece: Uint8Array): void {
    this.#bytes += piece.byteLength;
    if (this.#bytes > this.#maxBytes) {
      this.abort(netError("ANSWER_TOO_LARGE"));
      return;
    }
    this.#pieces.push(piece);
    this.#ahead += piece.byteLength;
    if (this.#ahead > AHEAD_BYTES) controller.pause();
    this.#wake();
  }

  onResponseEnd(): void {
    this.#isOver = true;
    this.#wake();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#fail(error);
  }

  #fail(error: Error): void {
    this.#failure ??= { error };
    this.#reject(error);
    this.#wake();
  }

  async *#read(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const piece = this.#pieces.shift();
        if (piece) {
          this.#ahead -= piece.byteLength;
          if (this.#ahead <= AHEAD_BYTES && this.#controller?.paused) this.#controller.resume();
          yield piece;
        } else if (this.#failure) throw this.#failure.error;
        else if (this.#isOver) return;
        else {
          const { promise, resolve } = Promise.withResolvers<void>();
          this.#wake = resolve;
          await promise;
        }
      }
    } finally {
      // Who stops reading wants no more of it.
      this.abort(netError("ABORTED"));
    }
  }
}
