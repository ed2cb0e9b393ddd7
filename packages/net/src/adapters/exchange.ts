import type { Dispatcher } from "undici";
import { netError } from "../errors.ts";
import type { Headers, OutboundAnswer } from "../wire.ts";

const NO_BYTES = new Uint8Array(0);

/**
 * One request and its answer, gathered as it comes: the library's own `request()` makes a stream of each body and a
 * listener of each signal, which costs a small answer more than all the rest.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly answer: Promise<OutboundAnswer>;
  readonly #maxBytes: number;
  #resolve!: (answer: OutboundAnswer) => void;
  #reject!: (error: unknown) => void;
  #controller: Dispatcher.DispatchController | undefined;
  /** Why nobody waits for the answer any more. */
  #ended: { readonly reason: Error } | undefined;
  #status = 0;
  #headers: Headers = {};
  #pieces: Uint8Array[] = [];
  #bytes = 0;

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
    this.#ended = { reason };
    this.#reject(reason);
    this.#controller?.abort(reason);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#ended) controller.abort(this.#ended.reason);
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    statusCode: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    // 1xx: the answer proper follows.
    if (statusCode < 200) return;
    this.#status = statusCode;
    this.#headers = flatHeaders(headers);
    if (Number(headers["content-length"]) > this.#maxBytes) this.abort(netError("ANSWER_TOO_LARGE"));
  }

  onResponseData(_controller: Dispatcher.DispatchController, piece: Uint8Array): void {
    this.#bytes += piece.byteLength;
    if (this.#bytes > this.#maxBytes) this.abort(netError("ANSWER_TOO_LARGE"));
    else this.#pieces.push(piece);
  }

  onResponseEnd(): void {
    const [only = NO_BYTES] = this.#pieces;
    const body = this.#pieces.length <= 1 ? only : Buffer.concat(this.#pieces, this.#bytes);
    this.#resolve({ status: this.#status, headers: this.#headers, body });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#reject(error);
  }
}

export function flatHeaders(headers: Record<string, string | string[] | undefined>): Headers {
  const flat: Record<string, string> = {};
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined) flat[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return flat;
}
