import { AsyncLocalStorage } from "node:async_hooks";
import { clearImmediate, setImmediate } from "node:timers";
import { hasCode } from "@darkmatter/core";
import type { Actor, Write } from "../database.ts";
import { storeError } from "../errors.ts";
import { actorNow } from "./acting.ts";
import { BodyScope, type BodyScopes } from "./body-scope.ts";
import type { SqliteConnection } from "./sqlite-connection.ts";
import { type Follow, type Group, isDiskError, SqliteWrite } from "./sqlite-write.ts";

/** Bodies that share one COMMIT at most; more wait for the next turn, so that the process stays responsive. */
const GROUP_MAX = 512;
/** Turns of the loop that a busy database lets pass before a group begins: what comes in them shares its COMMIT. */
const GATHERING_TURNS = 8;
/** A group of so many makes the database count as busy; so many waiting end the gathering. */
const BUSY_GROUP = 4;
const GATHERED_ENOUGH = 48;
/** Bodies that may wait; beyond that a write is refused as busy. */
const WAITING_MAX = 20_000;

const NONE: readonly Follow[] = [];

type Body = (tx: Write) => Promise<unknown>;
type Outcome =
  | { readonly kind: "done"; readonly value: unknown }
  | { readonly kind: "failed"; readonly error: unknown };

/** A body on its way: from `write` to the COMMIT that holds it. */
interface Act {
  readonly body: Body;
  /** Of whoever called: the body runs in another context. */
  readonly actor: Actor | undefined;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  outcome: Outcome | undefined;
  follows: readonly Follow[];
}

/**
 * Runs bodies one after another; those waiting at the start of a turn share one transaction, each in a savepoint.
 *
 * A group is over within the turn it began in, because statements answer at once and promises settle before the
 * loop turns. Hence a body that is unfinished a turn later awaited something foreign.
 */
export class GroupCommit {
  readonly #connection: SqliteConnection;
  readonly #report: (error: unknown) => void;
  readonly #scopes: BodyScopes;
  /** Bodies run in the context of whoever opened the database, not of the writer that happened to come first. */
  readonly #enter = AsyncLocalStorage.snapshot();
  readonly #begin: () => void;
  readonly #commit: () => void;
  readonly #rollback: () => void;
  readonly #savepoint: () => void;
  readonly #release: () => void;
  readonly #undo: () => void;
  #waiting: Act[] = [];
  #busy = false;
  #lastGroup = 0;
  #open: Promise<void> | undefined;
  #idle: (() => void)[] = [];
  #expel: (() => void) | undefined;

  constructor(connection: SqliteConnection, scopes: BodyScopes, report: (error: unknown) => void) {
    this.#connection = connection;
    this.#scopes = scopes;
    this.#report = report;
    this.#begin = connection.control("BEGIN IMMEDIATE");
    this.#commit = connection.control("COMMIT");
    this.#rollback = connection.control("ROLLBACK");
    this.#savepoint = connection.control("SAVEPOINT body");
    this.#release = connection.control("RELEASE body");
    this.#undo = connection.control("ROLLBACK TO body");
  }

  /** The group whose rows are not committed yet, if one is open. */
  get open(): Promise<void> | undefined {
    return this.#open;
  }

  write(body: Body): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length >= WAITING_MAX) throw storeError("DATABASE_BUSY");
      this.#waiting.push({ body, actor: actorNow(), resolve, reject, outcome: undefined, follows: NONE });
      if (this.#busy) return;
      this.#busy = true;
      this.#enter(() => this.#gather(GATHERING_TURNS));
    });
  }

  /** A lone body goes at once; many at a time wait a little for each other, since a COMMIT costs the same for all. */
  #gather(turnsLeft: number): void {
    setImmediate(() => {
      const more = turnsLeft > 1 && this.#lastGroup > BUSY_GROUP && this.#waiting.length < GATHERED_ENOUGH;
      if (more) this.#gather(turnsLeft - 1);
      else void this.#drain();
    });
  }

  /** Resolves once nothing runs and nothing waits. */
  async idle(): Promise<void> {
    if (this.#busy) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  async #drain(): Promise<void> {
    const acts = this.#waiting.length > GROUP_MAX ? this.#waiting.splice(0, GROUP_MAX) : this.#waiting;
    if (acts === this.#waiting) this.#waiting = [];
    this.#lastGroup = acts.length;
    const group = this.#runGroup(acts);
    this.#open = group;
    await group;
    if (this.#waiting.length > 0) {
      this.#gather(GATHERING_TURNS);
      return;
    }
    this.#busy = false;
    for (const wake of this.#idle.splice(0)) wake();
  }

  /** Never rejects: every act hears for itself. */
  async #runGroup(acts: readonly Act[]): Promise<void> {
    const again = await this.#transact(acts);
    for (const act of again) await this.#transact([act]);
    this.#open = undefined;
    for (const act of acts) settle(act);
    for (const act of acts)
      if (act.outcome?.kind === "done") for (const follow of act.follows) this.#follow(follow);
  }

  /** Runs acts in one transaction and leaves each with an outcome; answers those that must run again, alone. */
  async #transact(acts: readonly Act[]): Promise<readonly Act[]> {
    const group: Group = { broken: undefined };
    try {
      this.#begin();
    } catch (error) {
      failAll(acts, error);
      return [];
    }
    const watch = this.#watchTurns();
    try {
      for (const act of acts) {
        await this.#runBody(act, group, acts.length > 1);
        if (group.broken) break;
      }
    } finally {
      watch[Symbol.dispose]();
    }
    this.#finish(acts, group);
    if (!group.broken) return [];
    const { kind, error } = group.broken;
    // Even a refusal is void when it was drawn from a neighbour's rows that are gone: "a repeat" of what was not kept.
    const others = acts.filter((act) => !wasExpelled(act));
    if (kind === "rolled-back" && acts.length > 1) return others.map(untouched);
    failAll(others, error);
    return [];
  }

  #finish(acts: readonly Act[], group: Group): void {
    try {
      if (!group.broken && acts.some((act) => act.outcome?.kind === "done")) {
        this.#commit();
        return;
      }
    } catch (error) {
      group.broken = { kind: isDiskError(error) ? "disk" : "rolled-back", error };
    }
    this.#rollbackAll(group);
  }

  #rollbackAll(group: Group): void {
    // After some errors SQLite has rolled back by itself, and would refuse.
    if (!this.#connection.inTransaction) return;
    try {
      this.#rollback();
    } catch (error) {
      group.broken ??= { kind: "disk", error };
      this.#report(error);
    }
  }

  async #runBody(act: Act, group: Group, shared: boolean): Promise<void> {
    const scope = new BodyScope();
    const tx = new SqliteWrite(this.#connection, scope, group, act.actor);
    try {
      if (shared) this.#savepoint();
      const outcome = await this.#outcomeOf(act, tx, scope);
      scope.end("TRANSACTION_OVER");
      act.outcome = outcome;
      act.follows = tx.follows ?? NONE;
      if (group.broken) return;
      // Alone, a failed body has nobody to spare: the whole transaction goes.
      if (!shared) return;
      if (outcome.kind === "failed") this.#undo();
      this.#release();
    } catch (error) {
      group.broken = { kind: isDiskError(error) ? "disk" : "rolled-back", error };
    }
  }

  #outcomeOf(act: Act, tx: SqliteWrite, scope: BodyScope): Promise<Outcome> {
    return new Promise((settle) => {
      const fail = (error: unknown) => settle({ kind: "failed", error });
      this.#expel = () => {
        scope.end("FOREIGN_AWAIT");
        fail(storeError("FOREIGN_AWAIT"));
      };
      try {
        this.#scopes.run(scope, () => act.body(tx)).then((value) => settle({ kind: "done", value }), fail);
      } catch (error) {
        fail(error);
      }
    });
  }

  /** Expels, at each turn of the loop, the body that is still running. */
  #watchTurns(): Disposable {
    let timer = setImmediate(look);
    const self = this;
    function look() {
      timer = setImmediate(look);
      self.#expel?.();
    }
    return { [Symbol.dispose]: () => clearImmediate(timer) };
  }

  async #follow(follow: Follow): Promise<void> {
    try {
      await follow();
    } catch (error) {
      this.#report(error);
    }
  }
}

function wasExpelled({ outcome }: Act): boolean {
  return outcome?.kind === "failed" && hasCode(outcome.error, "FOREIGN_AWAIT");
}

function settle(act: Act): void {
  if (act.outcome?.kind === "done") act.resolve(act.outcome.value);
  else act.reject(act.outcome?.error);
}

function failAll(acts: readonly Act[], error: unknown): void {
  for (const act of acts) act.outcome = { kind: "failed", error };
}

function untouched(act: Act): Act {
  act.outcome = undefined;
  return act;
}
