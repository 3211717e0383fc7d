import { GruError } from '../../base/errors.ts';

/** Milliseconds that a sample takes at least, for clocks that tick in steps. */
const SAMPLE = 4;

/** Runs of which a sample consists at most. */
const MOST_RUNS = 2000;

/** Samples of each: until the least of either has not fallen by a hundredth for so many, and at most so many. */
const [QUIET, MOST_SAMPLES] = [8, 80];

/**
 * How long one takes beside another: the two take turns, so that what else the machine does meets both.
 *
 * @param turn Lets others have the thread.
 * @returns The least time of `one` by the least of `other`.
 * @throws GruError `unsupported` where the clock stands still.
 */
export async function timeRatio(one: () => void, other: () => void, turn: () => Promise<void>): Promise<number> {
  let runs = 1;
  // The first calls compile.
  for (let i = 0; i < 3; i++)
    [one, other].forEach((run) => {
      run();
    });
  while (timeOf(other, runs) < SAMPLE) {
    if (runs > MOST_RUNS) {
      const fix = "give prefer: 'size', which needs no clock";
      throw new GruError(
        'unsupported',
        `autoPrecision: the clock of this host stands still, so that nothing can be timed: ${fix}`,
      );
    }
    runs *= 2;
  }
  const least = [Infinity, Infinity];
  // Other work on the machine is in most samples, and mostly not in the least.
  for (let i = 0, quiet = 0; i < MOST_SAMPLES && quiet < QUIET; i++, quiet++) {
    for (const [j, run] of [one, other].entries()) {
      const time = timeOf(run, runs);
      if (time < 0.99 * least[j]!) quiet = 0;
      least[j] = Math.min(least[j]!, time);
    }
    await turn();
  }
  return least[0]! / least[1]!;
}

function timeOf(run: () => void, runs: number): number {
  const start = performance.now();
  for (let i = 0; i < runs; i++) run();
  return performance.now() - start;
}
