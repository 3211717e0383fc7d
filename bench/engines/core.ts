import { wasmBackend } from '../../ts/backends/wasm/index.ts';
import { resolveGraph } from '../../ts/spec/graph.ts';
import type { Backend } from '../../ts/backends/backend.ts';
import { useAllKinds } from '../../ts/layers/full.ts';
import { readAsset } from '../assets.ts';
import { type Engine, LeftOut } from '../engine.ts';
import { specOf } from '../spec.ts';

/** The wasm core below the facade: input and output stay in its memory, so a kernel is timed and nothing else. */
export function core(name: string, build: 'baseline' | 'relaxed'): Engine {
  let backend: Backend;
  const compiled = (file: string) => async () => WebAssembly.compile(await readAsset(`dist/${file}.wasm`));
  return {
    name,
    hosts: ['node', 'page'],
    takes: ({ kind }) => kind === 'dense' || kind === 'recurrent',
    async load() {
      useAllKinds();
      const binaries = { baseline: compiled('baseline'), relaxed: compiled('relaxed') };
      backend = await wasmBackend({ deterministic: build === 'baseline', binaries });
      if (backend.name !== `wasm-${build}`) throw new LeftOut(`this host has no ${build} SIMD`);
    },
    prepare(task) {
      const { batch, steps } = task.case;
      const model = backend.compile(resolveGraph(specOf(task)));
      const state = model.createState(batch);
      state.setLengths([{ lengths: new Int32Array(batch).fill(steps) }]);
      state.inputFloats(0).set(task.x);
      return {
        layout: 'batch-major',
        run() {
          state.run();
          return state.output(0);
        },
        free() {
          state.free();
          model.free();
        },
      };
    },
  };
}
