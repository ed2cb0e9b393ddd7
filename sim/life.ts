/** A process of a machine: from its start until it dies, which may be in the middle of anything. */
export interface Life {
  readonly isAlive: boolean;
  /** Does something at a port: what a dead process asks for is neither done nor answered, a frozen one hears it later. */
  act<T>(what: () => Promise<T>): Promise<T>;
  /** Hears what the world does. A dead process hears nothing, a frozen one once it goes on. */
  hear(what: () => void): void;
  /** Dies after so many more acts at ports: wherever it is then. */
  endAfter(acts: number): void;
  end(): void;
  /** Called when it dies; at once when it has. Answers how to stop listening. */
  onEnd(follow: () => void): () => void;
  freeze(): void;
  thaw(): void;
}

/** A new one each time: one for all would keep everything that ever waited for it. */
const never = () => new Promise<never>(() => undefined);

export function createLife(): Life {
  let isAlive = true;
  let isFrozen = false;
  let actsLeft = Number.POSITIVE_INFINITY;
  const missed: (() => void)[] = [];
  const ends = new Set<() => void>();

  const life: Life = {
    get isAlive() {
      return isAlive;
    },

    act<T>(what: () => Promise<T>): Promise<T> {
      if (isAlive && --actsLeft <= 0) life.end();
      if (!isAlive) return never();
      return new Promise<T>((resolve, reject) => {
        what().then(
          (value) => life.hear(() => resolve(value)),
          (error: unknown) => life.hear(() => reject(error)),
        );
      });
    },

    hear(what) {
      if (!isAlive) return;
      if (isFrozen) missed.push(what);
      else what();
    },

    endAfter(acts) {
      actsLeft = acts;
    },

    end() {
      if (!isAlive) return;
      isAlive = false;
      for (const follow of [...ends]) follow();
    },

    onEnd(follow) {
      if (isAlive) ends.add(follow);
      else follow();
      return () => void ends.delete(follow);
    },

    freeze() {
      isFrozen = true;
    },

    thaw() {
      isFrozen = false;
      for (const what of missed.splice(0)) life.hear(what);
    },
  };
  return life;
}
