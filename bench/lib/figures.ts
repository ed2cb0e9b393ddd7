/** What a figure has to reach. */
export interface Must {
  readonly least?: number;
  readonly most?: number;
  /** Timings are noisy: a short round fails only where half of it is missed. */
  readonly noisy?: boolean;
  /** A time that a slow machine makes longer: judged in whole rounds; what stands beside it is judged in short ones. */
  readonly wholeOnly?: boolean;
}

/** Prints figures as `figure NAME VALUE UNIT` and counts those that reach what they must. */
export interface Figures {
  add(name: string, value: number, unit: string, must?: Must): void;
  /** A figure that cannot be had here. */
  skip(name: string, reason: string): void;
  /** Prints the count; the exit code. */
  end(): number;
}

const SHORT_LENIENCE = 2;

export function createFigures({ short }: { readonly short: boolean }): Figures {
  let passed = 0;
  let failed = 0;
  let skipped = 0;

  return {
    add(name, value, unit, must) {
      console.log(`figure ${name} ${rounded(value)} ${unit}`);
      if (!must || (short && must.wholeOnly)) return;
      const lenience = short && must.noisy ? SHORT_LENIENCE : 1;
      const least = (must.least ?? Number.NEGATIVE_INFINITY) / lenience;
      const most = (must.most ?? Number.POSITIVE_INFINITY) * lenience;
      if (value >= least && value <= most) passed++;
      else {
        failed++;
        const wanted = must.least === undefined ? `at most ${most}` : `at least ${least}`;
        console.log(`FAILED ${name}: ${rounded(value)} ${unit}, and it must be ${wanted}`);
      }
    },

    skip(name, reason) {
      skipped++;
      console.log(`skip ${name}: ${reason}`);
    },

    end() {
      console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
      return failed > 0 ? 1 : 0;
    },
  };
}

/** The middle of what was measured. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  const [low, high] = [sorted[middle - 1], sorted[middle]];
  if (high === undefined) throw new Error("Nothing was measured.");
  return sorted.length % 2 === 1 || low === undefined ? high : (low + high) / 2;
}

/** The middle of the ratios of what was measured in turns: what holds a machine up meets both of a pair. */
export const medianRatio = (of: readonly number[], to: readonly number[]): number =>
  median(of.map((value, at) => value / (to[at] ?? Number.NaN)));

/** Below which a share of what was measured lies: 0.99 for the p99. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function rounded(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Math.round(value * 1000) / 1000;
}
