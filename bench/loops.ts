import { CEILING_PASSES } from './cases.ts';

/** What bench/ceilings exports; addresses and sizes in bytes. */
export interface Loops {
  buffer: (bytes: number) => number;
  madd_registers: (data: number, reps: number) => number;
  madd_1x12: (data: number, k: number, reps: number) => number;
  madd_6x2: (data: number, k: number, reps: number) => number;
  madd_2x4: (data: number, k: number, reps: number) => number;
  loads: (data: number, bytes: number, reps: number) => number;
}

/**
 * The tile that is the ceiling, and its FLOPs a column of weights: 1x12 is bound by loads on one processor, 6x2 and 1x12 spill
 * on an older V8, 2x4 waits for its 8 accumulators where nothing else is in the way.
 */
export function fastestTile({ madd_1x12, madd_6x2, madd_2x4 }: Loops, panel: number) {
  const time = (tile: Loops['madd_1x12']) => {
    const start = performance.now();
    for (let i = 0; i < 20; i++) tile(panel, 128, CEILING_PASSES);
    return performance.now() - start;
  };
  const tiles = [
    { tile: madd_1x12, flops: 2 * 12 * 4 },
    { tile: madd_6x2, flops: 2 * 12 * 4 },
    { tile: madd_2x4, flops: 2 * 8 * 4 },
  ].map((entry) => ({ ...entry, rate: entry.flops / Math.min(...Array.from({ length: 5 }, () => time(entry.tile))) }));
  return tiles.reduce((best, entry) => (entry.rate > best.rate ? entry : best));
}
