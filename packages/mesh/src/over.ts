/**
 * Why what is over is aborted: nobody looks at it. `abort()` alone makes an exception each time, with its stack, which
 * costs more than most of what it ends.
 */
export const OVER = new DOMException("It is over", "AbortError");
