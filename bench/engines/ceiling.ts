import { readAsset } from '../assets.ts';
import { type Case, CEILING_PASSES, flopsOf, GATES, layerSizes, loadPasses } from '../cases.ts';
import { type Engine, LeftOut, type Runner } from '../engine.ts';
import { fastestTile, type Loops } from '../loops.ts';

const nothing = new Float32Array(0);

/**
 * The least time that a case's arithmetic can take in wasm on this machine: the loops of bench/ceilings, taking turns with
 * the engines. All multiply-adds at the rate of the fastest of three tiles that load from L1; but a recurrent product of
 * one sequence at the rate at which its weights can be loaded, once a step, from a buffer of their size.
 */
export function ceiling(name: string, build: 'baseline' | 'relaxed'): Engine {
  let loops: Loops;
  return {
    name,
    hosts: ['node', 'page'],
    isCeiling: true,
    takes: ({ kind, loop }) => kind !== 'cold' && !(loop?.name === 'loads' && build === 'baseline'),
    async load() {
      const bytes = await readAsset(`target/ceilings-${build}/wasm32-unknown-unknown/release/gru_wasm_ceilings.wasm`);
      if (!WebAssembly.validate(bytes)) throw new LeftOut(`this host has no ${build} SIMD`);
      const { instance } = await WebAssembly.instantiate(bytes, {});
      loops = instance.exports as unknown as Loops;
    },
    prepare: ({ case: c }) => runner(loops, c),
  };
}

function runner(loops: Loops, c: Case): Runner {
  const layout = 'batch-major';
  const panel = loops.buffer(2 ** 16);
  if (c.loop) {
    const { name, bytes } = c.loop;
    const data = loops.buffer(bytes);
    const run = {
      loads: () => loops.loads(data, bytes, loadPasses(bytes)),
      madd_registers: () => loops.madd_registers(panel, 128 * CEILING_PASSES),
      madd_1x12: () => loops.madd_1x12(panel, 128, CEILING_PASSES),
      madd_6x2: () => loops.madd_6x2(panel, 128, CEILING_PASSES),
      madd_2x4: () => loops.madd_2x4(panel, 128, CEILING_PASSES),
    }[name];
    return { layout, run: () => (run(), nothing) };
  }
  const { tile, flops } = fastestTile(loops, panel);
  const { input, recurrent } = flopsOf(c);
  const isLoadBound = c.batch === 1 && recurrent > 0;
  const columns = (isLoadBound ? input : input + recurrent) / flops;
  const passes = Math.max(1, Math.round(columns / 128));
  const k = Math.max(1, Math.round(columns / passes));
  const steps = c.kind === 'step' ? 1 : c.steps;
  const bytes = 256 * Math.ceil((GATES[c.cell] * c.hiddenSize * c.hiddenSize * 4) / 256);
  const count = isLoadBound ? layerSizes(c).reduce((n, { directions }) => n + directions, 0) : 0;
  const matrices = Array.from({ length: count }, () => loops.buffer(bytes));
  return {
    layout,
    run() {
      tile(panel, k, passes);
      for (const weights of matrices) loops.loads(weights, bytes, steps);
      return nothing;
    },
  };
}
