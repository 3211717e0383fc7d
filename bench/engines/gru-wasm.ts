import type * as GruWasm from '../../ts/index.ts';
import { type Engine, isWholeRun, LeftOut, type Runner, type Task } from '../engine.ts';
import { specOf } from '../spec.ts';

/** Not a literal: resolved where it runs, by bench/node_modules or the page's import map, and left alone by type checking. */
const PACKAGE = 'gru-wasm' as string;
const installed = async () => (await import(PACKAGE)) as typeof GruWasm;

const OPTIONS: Record<string, GruWasm.ModelOptions> = {
  'wasm-relaxed': { backend: 'wasm' },
  'wasm-baseline': { backend: 'wasm', deterministic: true },
  js: { backend: 'js' },
};

const READERS = { 'readers of all model files': /\/read-any\.js$/ };

/** One backend of this library, by its public API. */
export function gruWasm(name: string, backend: string, load = installed, options = OPTIONS[backend]): Engine {
  let library: typeof GruWasm;
  return {
    name,
    hosts: ['node', 'page'],
    takes: isWholeRun,
    ships:
      backend === 'js'
        ? { code: "export * from 'gru-wasm/js'", onDemand: READERS }
        : {
            code: "export * from 'gru-wasm'",
            onDemand: {
              'the JS backend': /\/js-(core|full)\.js$/,
              'layers beyond the core flavour': /\/(packed|full-layers)\.js$/,
              'layouts of createGru and its like': /\/layouts\.js$/,
              'model.trace': /\/trace\.js$/,
              ...READERS,
            },
          },
    async load() {
      library = await load();
    },
    async prepare(task) {
      const model = await library.createModel(specOf(task), options);
      if (model.backend !== backend) throw new LeftOut(`this host has no ${backend}`);
      return runner(model, task);
    },
  };
}

/** With kernels for V8's revectorizer, and the flag that turns it on (which the option would do by itself). */
export const revectorized: Engine = {
  ...gruWasm('relaxed-revec', 'wasm-relaxed', installed, { backend: 'wasm', revectorize: true }),
  hosts: ['node'],
  flags: ['--experimental-wasm-revectorize'],
  ships: undefined,
};

/** Bounds of the errors of docs/precision.md, over the grid. */
const PRECISIONS = { i16: 2e-3, i8: 2e-2 };

/** The fastest build with weights of integers: the grid, an LSTM's too, and steps. */
export function quantized(precision: keyof typeof PRECISIONS, load = installed): Engine {
  let library: typeof GruWasm;
  const engine = gruWasm(precision, 'wasm-relaxed', load);
  return {
    ...engine,
    ships: undefined,
    tolerance: PRECISIONS[precision],
    takes: (c) => ['grid', 'lstm', 'step'].includes(c.group),
    async load() {
      library = await load();
    },
    async prepare(task) {
      const model = await library.createModel(specOf(task), { backend: 'js' });
      const quantized = await library.loadModel(model.save(), { backend: 'wasm', precision });
      model.dispose();
      if (quantized.backend !== 'wasm-relaxed') throw new LeftOut('this host has no wasm-relaxed');
      return runner(quantized, task);
    },
  };
}

function runner(model: GruWasm.GruModel, { case: c, h0 }: Task): Runner {
  const free = () => {
    model.dispose();
  };
  if (c.kind === 'step') {
    const stream = model.createStream();
    const y = new Float32Array(c.hiddenSize);
    return { layout: 'batch-major', run: (x) => stream.step(x, y), free };
  }
  const shape = [c.batch, c.steps, c.inputSize];
  const options = h0 && { initialStates: { data: h0, shape: [1, c.batch, c.hiddenSize] } };
  return { layout: 'batch-major', run: (data) => model.run({ data, shape }, options).output.data, free };
}
