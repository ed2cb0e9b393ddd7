import { AsyncLocalStorage } from "node:async_hooks";
import { storeError } from "../errors.ts";

/** Where a body is: shared by everything that runs inside it, so that the database knows its own. */
export class BodyScope {
  /** What any further use of the tx meets, once the body is over or expelled. */
  ended: "TRANSACTION_OVER" | "FOREIGN_AWAIT" | undefined;

  end(why: "TRANSACTION_OVER" | "FOREIGN_AWAIT"): void {
    this.ended ??= why;
  }

  check(): void {
    if (this.ended) throw storeError(this.ended);
  }
}

/** Knows whether the running code is inside a body of one database. */
export class BodyScopes {
  readonly #current = new AsyncLocalStorage<BodyScope>();

  run<T>(scope: BodyScope, body: () => T): T {
    return this.#current.run(scope, body);
  }

  /** Refuses a `write` inside a body: it would wait for the body that waits for it. */
  refuseNestedWrite(): void {
    if (this.#inside()) throw storeError("NESTED_WRITE");
  }

  /** Refuses a read past the tx inside a body: it would not see what the body wrote. */
  refuseBypass(): void {
    if (this.#inside()) throw storeError("FOREIGN_AWAIT");
  }

  #inside(): boolean {
    const scope = this.#current.getStore();
    return scope !== undefined && scope.ended === undefined;
  }
}
