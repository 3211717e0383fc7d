import { describe, expect, test, vi } from 'vitest';
import { readModel } from '../../ts/formats/index.ts';
import { readKeras } from '../../ts/formats/keras.ts';
import { readNative } from '../../ts/formats/native.ts';
import { readPytorch, type PytorchLayer } from '../../ts/formats/pytorch.ts';
import { parseSafetensors, writeSafetensors } from '../../ts/formats/safetensors.ts';
import { readTfjs } from '../../ts/formats/tfjs.ts';
import { resolveGraph } from '../../ts/spec/graph.ts';
import { type H5Group, writeH5 } from './h5-writer.ts';
import { looks } from './looks.ts';
import { writeZip } from './zip-writer.ts';

const count = (n: number, name: string) => Array.from({ length: n }, (_, i) => `${name}${i}`);
const encode = (value: unknown) => new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
const records = <T>(names: string[], make: (name: string, i: number) => T) =>
  Object.fromEntries(names.map((name, i) => [name, make(name, i)]));
const floats = (length: number) => new Float32Array(length).fill(0.5);

/** Twice as much of a thing takes at most 2.5 times the looks. */
async function isLinear(n: number, read: (n: number) => () => unknown): Promise<void> {
  const [once, twice] = [await looks(read(n)), await looks(read(2 * n))];
  expect(once).toBeGreaterThan(n);
  expect(twice / once).toBeLessThan(2.5);
}

// ---- Keras: a chain of dense layers of one unit, or many side by side

interface Keras {
  layers: object[];
  inputs: string[];
  outputs: string[];
}
const input = (name: string) => ({
  class_name: 'InputLayer',
  name,
  config: { name, batch_input_shape: [null, 1], dtype: 'float32' },
  inbound_nodes: [],
});
const dense = (name: string, from: string) => ({
  class_name: 'Dense',
  name,
  config: { name, trainable: true, units: 1, activation: 'linear', use_bias: false },
  inbound_nodes: [[[from, 0, 0, {}]]],
});
const add = (name: string, from: string[]) => ({
  class_name: 'Add',
  name,
  config: { name, trainable: true },
  inbound_nodes: [from.map((f) => [f, 0, 0, {}])],
});
const KERAS: Record<string, (n: number) => Keras> = {
  layers: (n) => ({
    layers: [input('x'), ...count(n, 'd').map((d, i) => dense(d, i === 0 ? 'x' : `d${i - 1}`))],
    inputs: ['x'],
    outputs: [`d${n - 1}`],
  }),
  outputs: (n) => ({
    layers: [input('x'), ...count(n, 'd').map((d) => dense(d, 'x'))],
    inputs: ['x'],
    outputs: count(n, 'd'),
  }),
  inputs: (n) => ({
    layers: [...count(n, 'x').map(input), ...count(n, 'd').map((d, i) => dense(d, `x${i}`)), add('a', count(n, 'd'))],
    inputs: count(n, 'x'),
    outputs: ['a'],
  }),
  'long names': (n) => {
    const names = count(8, 'n'.repeat(n));
    return {
      layers: [input('x'), ...names.map((d, i) => dense(d, i === 0 ? 'x' : names[i - 1]!))],
      inputs: ['x'],
      outputs: [names.at(-1)!],
    };
  },
};
const configOf = ({ layers, inputs, outputs }: Keras) => {
  const ends = (names: string[]) => names.map((name) => [name, 0, 0]);
  const config = { name: 'm', layers, input_layers: ends(inputs), output_layers: ends(outputs) };
  return { class_name: 'Functional', config, keras_version: '2.15.0' };
};
const denseNames = ({ layers }: Keras) =>
  (layers as { class_name: string; name: string }[]).filter((l) => l.class_name === 'Dense').map(({ name }) => name);
const kernel = { shape: [1, 1], data: floats(1) };

/** Lists of names, cut as Keras does: an attribute has at most 64 KB. */
function lists(name: string, values: string[]): Record<string, string[]> {
  const each = 500;
  if (values.length <= each) return { [name]: values };
  const parts = count(Math.ceil(values.length / each), name);
  return records(parts, (_, i) => values.slice(i * each, (i + 1) * each));
}
function oldFile(model: Keras): Uint8Array {
  const names = denseNames(model);
  const members = records(names, (name): H5Group => {
    const weight = `${name}/kernel:0`;
    const inner = { [name]: { members: { 'kernel:0': kernel } } };
    return { attributes: { weight_names: [weight] }, members: inner };
  });
  return writeH5({
    attributes: { model_config: JSON.stringify(configOf(model)), keras_version: '2.15.0' },
    members: { model_weights: { attributes: lists('layer_names', names), members } },
  });
}
function newWeights(model: Keras): Uint8Array {
  const folders = count(denseNames(model).length, 'dense_').map((name, i) => (i === 0 ? 'dense' : name));
  const members = records(folders, () => ({ members: { vars: { members: { 0: kernel } } } }));
  return writeH5({ members: { layers: { members } } });
}

describe('Keras', () => {
  const resolved = async (reading: ReturnType<typeof readKeras>) => resolveGraph((await reading).spec);
  describe.each(Object.entries(KERAS))('%s', (name, make) => {
    const n = name === 'long names' ? 4000 : 200;
    // the looks at a name do not count its letters
    const isSame = name === 'long names';
    const check = (read: (model: Keras) => () => unknown) =>
      isSame ? read(make(n))() : isLinear(n, (m) => read(make(m)));
    test('.h5', () =>
      check((model) => {
        const bytes = oldFile(model);
        return () => resolved(readKeras(bytes));
      }));
    test('.keras', () =>
      check((model) => {
        const bytes = writeZip([
          { name: 'metadata.json', data: encode({ keras_version: '2.15.0' }) },
          { name: 'config.json', data: encode(configOf(model)) },
          { name: 'model.weights.h5', data: newWeights(model) },
        ]);
        return () => resolved(readKeras(bytes));
      }));
    test('model.json', () =>
      check((model) => {
        const names = denseNames(model);
        const weights = names.map((layer) => ({ name: `${layer}/kernel`, shape: [1, 1], dtype: 'float32' }));
        const manifest = [{ paths: ['weights.bin'], weights }];
        const file = encode({ modelTopology: { model_config: configOf(model) }, weightsManifest: manifest });
        const shard = new Uint8Array(floats(names.length).buffer);
        return async () => resolveGraph((await readTfjs(file, { sidecar: () => Promise.resolve(shard) })).spec);
      }));
  });

  test('a file with 468 outputs', async () => {
    const { spec } = await readKeras(oldFile(KERAS['outputs']!(468)));
    expect(spec.outputs).toHaveLength(468);
  });

  test('a list of layers in 20,000 attributes', async () => {
    const file = (n: number) =>
      writeH5({
        attributes: { model_config: JSON.stringify(configOf(KERAS['layers']!(1))), keras_version: '2.15.0' },
        members: { model_weights: { attributes: records(count(n, 'layer_names'), () => ['d0']) } },
      });
    const read = (n: number) => {
      const bytes = file(n);
      return () => expect(readKeras(bytes)).rejects.toMatchObject({ name: 'GruError' });
    };
    await isLinear(2000, read);
    await read(20_000)();
  });
});

describe('TensorFlow.js', () => {
  test('many shards', () =>
    isLinear(400, (n) => {
      const model = KERAS['layers']!(1);
      const weights = [{ name: 'd0/kernel', shape: [1, n], dtype: 'float32' }];
      const manifest = [{ paths: count(n, 'shard'), weights }];
      const file = encode({ modelTopology: { model_config: configOf(model) }, weightsManifest: manifest });
      const sidecar = () => Promise.resolve(new Uint8Array(4));
      return () => expect(readTfjs(file, { sidecar })).rejects.toThrow(/has shape/);
    }));

  /** A model of so many weights, `names` theirs, each of one number. */
  const ofWeights = (model: Keras, names: string[], shape = [1, 1]) => {
    const weights = names.map((name) => ({ name, shape, dtype: 'float32' }));
    const manifest = [{ paths: ['weights.bin'], weights }];
    const file = encode({ modelTopology: { model_config: configOf(model) }, weightsManifest: manifest });
    const shard = new Uint8Array(floats(names.length).buffer);
    return async () => resolveGraph((await readTfjs(file, { sidecar: () => Promise.resolve(shard) })).spec);
  };
  const after = (className: string, name: string, from: string, config: object) => ({
    class_name: className,
    name,
    config: { name, trainable: true, ...config },
    inbound_nodes: [[[from, 0, 0, {}]]],
  });

  test.each(['model', 'wrapper'])('many models inside, whose weights have no name of a %s', (what) =>
    isLinear(500, (n) => {
      const inner = (i: number) => ({ name: `s${i}`, layers: [{ ...dense(`d${i}`, ''), inbound_nodes: [] }] });
      const models = count(n, 'm').map((name, i) => {
        const from = i === 0 ? 'x' : `m${i - 1}`;
        if (what === 'model') return after('Sequential', name, from, { layers: inner(i).layers });
        return after('TimeDistributed', name, from, { layer: { class_name: 'Sequential', config: inner(i) } });
      });
      const x = what === 'model' ? input('x') : after('InputLayer', 'x', '', { batch_input_shape: [null, null, 1] });
      const model = { layers: [{ ...x, inbound_nodes: [] }, ...models], inputs: ['x'], outputs: [`m${n - 1}`] };
      return ofWeights(
        model,
        count(n, 'd').map((name) => `${name}/kernel`),
      );
    }),
  );

  test('many cells of one layer', () =>
    isLinear(300, (n) => {
      const cells = count(n, 'cell').map((name) => ({
        class_name: 'SimpleRNNCell',
        config: { name, trainable: true, units: 1, activation: 'tanh', use_bias: false },
      }));
      const x = { ...after('InputLayer', 'x', '', { batch_input_shape: [null, null, 1] }), inbound_nodes: [] };
      const cell = { class_name: 'StackedRNNCells', config: { name: 'stack', cells } };
      const rnn = after('RNN', 'rnn', 'x', { cell });
      const names = cells.flatMap((_, i) => [`rnn/kernel_${i}`, `rnn/recurrent_kernel_${i}`]);
      return ofWeights({ layers: [x, rnn], inputs: ['x'], outputs: ['rnn'] }, names);
    }));

  test('many groups of weights', () =>
    isLinear(400, (n) => {
      const model = KERAS['layers']!(n);
      const manifest = count(n, 'd').map((d) => ({
        paths: [`${d}.bin`],
        weights: [{ name: `${d}/kernel`, shape: [1, 1], dtype: 'float32' }],
      }));
      const file = encode({ modelTopology: { model_config: configOf(model) }, weightsManifest: manifest });
      return () => readTfjs(file, { sidecar: () => Promise.resolve(new Uint8Array(4)) });
    }));

  test('many weights of one layer', () =>
    isLinear(400, (n) => {
      const weights = count(n, 'd0/w').map((name) => ({ name, shape: [1], dtype: 'float32' }));
      const manifest = [{ paths: ['weights.bin'], weights }];
      const file = encode({
        modelTopology: { model_config: configOf(KERAS['layers']!(1)) },
        weightsManifest: manifest,
      });
      const shard = new Uint8Array(4 * n);
      return () => expect(readTfjs(file, { sidecar: () => Promise.resolve(shard) })).rejects.toThrow(/kernel|weight/);
    }));
});

// ---- safetensors, and what is read from it

const tensorsOf = (names: string[], shape: number[], length: number) =>
  writeSafetensors(records(names, () => ({ dtype: 'F32' as const, shape, data: floats(length) })));

describe('safetensors', () => {
  test.each<[string, (n: number) => string[]]>([
    ['tensors', (n) => count(n, 't')],
    ['layers', (n) => count(n, 'a.').map((name) => `${name}.weight`)],
    ['folders inside each other', (n) => count(n, 'b').map((_, i) => `${'a.'.repeat(i % 50)}${i}`)],
  ])('%s', async (_, names) => {
    await isLinear(500, (n) => {
      const bytes = tensorsOf(names(n), [1], 1);
      return () => parseSafetensors(bytes);
    });
    await isLinear(500, (n) => {
      const bytes = tensorsOf(names(n), [1], 1);
      return () => expect(readPytorch(bytes)).rejects.toMatchObject({ name: 'GruError' });
    });
  });

  test('our own files', async () => {
    const file = (n: number) => {
      const layers = count(n, 'l').map((name) => ({ name, type: 'dense', inputSize: 1, outputSize: 1 }));
      const description = { version: 1, inputs: [{ name: 'x', dtype: 'float32', size: 1 }], layers };
      const tensors = count(n, 'l').map((name) => [
        `${name}/kernel`,
        { dtype: 'F32' as const, shape: [1, 1], data: floats(1) },
      ]);
      return writeSafetensors(Object.fromEntries(tensors) as never, { 'gru-wasm': JSON.stringify(description) });
    };
    await isLinear(300, (n) => {
      const bytes = file(n);
      return async () => {
        expect((await readModel(bytes)).spec.layers).toHaveLength(n);
        readNative(bytes);
      };
    });
  });

  test('a layer of our own files takes few looks', async () => {
    const n = 1000;
    const layers = count(n, 'l').map((name) => ({ name, type: 'activation', activation: 'tanh' }));
    const description = { version: 1, inputs: [{ name: 'x', dtype: 'float32', size: 1 }], layers };
    const bytes = writeSafetensors({}, { 'gru-wasm': JSON.stringify(description) });
    expect((await looks(() => readNative(bytes))) / n).toBeLessThan(46);
  });
});

// ---- PyTorch: a stack of layers; fixtures show the framing

describe('PyTorch', () => {
  const shapes = (k: number): [string, number[]][] => [
    [`l${k}.weight`, [1, 1]],
    [`l${k}.bias`, [1]],
  ];
  const layersOf = (n: number): PytorchLayer[] => count(n, 'l').map((linear) => ({ linear }));
  const options = (n: number) => ({
    options: { pytorch: { layers: layersOf(n), inputs: [{ name: 'x', dtype: 'float32' as const, size: 1 }] } },
  });

  /** The pickle of a state dict, its storages by number. */
  function pickle(n: number, magic: boolean): Uint8Array {
    const text = (s: string) => [0x58, s.length & 255, s.length >> 8, 0, 0, ...encode(s)];
    const int = (i: number) => [0x4a, i & 255, (i >> 8) & 255, (i >> 16) & 255, 0];
    const global = (a: string, b: string) => [0x63, ...encode(`${a}\n${b}\n`)];
    const out = [0x80, 2, 0x7d, 0x28];
    let key = 0;
    for (const [name, shape] of Array.from({ length: n }, (_, k) => shapes(k)).flat()) {
      const dims = shape.flatMap((d) => int(d));
      const storage = [
        0x28,
        ...text('storage'),
        ...global('torch', 'FloatStorage'),
        ...text(String(key++)),
        ...text('cpu'),
      ];
      const id = [...storage, ...int(1), ...(magic ? [0x4e] : []), 0x74, 0x51];
      const sizes = [0x28, ...dims, 0x74, 0x28, ...dims, 0x74];
      const tensor = [0x28, ...id, ...int(0), ...sizes, 0x89, 0x4e, 0x74, 0x52];
      out.push(...text(name), ...global('torch._utils', '_rebuild_tensor_v2'), ...tensor);
    }
    return Uint8Array.from([...out, 0x75, 0x2e]);
  }
  const one = new Uint8Array(floats(1).buffer);
  const zip = (n: number) =>
    writeZip([
      { name: 'm/data.pkl', data: pickle(n, false) },
      { name: 'm/version', data: encode('3\n') },
      ...count(2 * n, 'm/data/').map((name) => ({ name, data: one })),
    ]);

  /** Pickles of the magic number, the protocol, the system and the state dict, the keys of the storages, and their values. */
  function legacy(n: number): Uint8Array {
    const magic = [0x80, 2, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];
    const protocol = [0x80, 2, 0x4d, 0xe9, 0x03, 0x2e];
    const text = (s: string) => [0x58, s.length & 255, s.length >> 8, 0, 0, ...encode(s)];
    const system = [0x80, 2, 0x7d, ...text('little_endian'), 0x88, 0x73, 0x2e];
    const keys = [0x80, 2, 0x5d, 0x28, ...count(2 * n, '').flatMap(text), 0x65, 0x2e];
    const values = Array.from({ length: 2 * n }, () => [1, 0, 0, 0, 0, 0, 0, 0, ...one]).flat();
    return Uint8Array.from([...magic, ...protocol, ...system, ...pickle(n, true), ...keys, ...values]);
  }

  test('zip: layers', () =>
    isLinear(100, (n) => {
      const bytes = zip(n);
      return () => readPytorch(bytes, options(n));
    }));

  test('legacy: layers', () =>
    isLinear(100, (n) => {
      const bytes = legacy(n);
      return () => readPytorch(bytes, options(n));
    }));

  test('a module of a state dict takes few looks and no views', async () => {
    const n = 500;
    const shapesOf = (gru: string) => [
      [`${gru}.weight_ih_l0`, { dtype: 'F32' as const, shape: [3, 1], data: floats(3) }],
      [`${gru}.weight_hh_l0`, { dtype: 'F32' as const, shape: [3, 1], data: floats(3) }],
    ];
    const bytes = writeSafetensors(Object.fromEntries(count(n, 'g').flatMap(shapesOf)) as never);
    const refused = await looks(() => expect(readPytorch(bytes)).rejects.toThrow(/does not say how/));
    // Each form of a module looks at it.
    expect(refused / n).toBeLessThan(90);
    const subarray = vi.spyOn(Uint8Array.prototype, 'subarray');
    await expect(readPytorch(bytes)).rejects.toThrow(/does not say how/);
    // The header and the data; none for a tensor that is not read.
    expect(subarray.mock.calls.length).toBeLessThan(10);
    subarray.mockRestore();
  });

  test('safetensors: layers, and what is left out', async () => {
    const file = (n: number) => {
      const names = Array.from({ length: n }, (_, k) => shapes(k)).flat();
      const tensors = names.map(([name, shape]) => [name, { dtype: 'F32' as const, shape, data: floats(1) }] as const);
      return writeSafetensors(Object.fromEntries(tensors));
    };
    await isLinear(200, (n) => {
      const bytes = file(n);
      return () => readPytorch(bytes, options(n));
    });
    await isLinear(200, (n) => {
      const bytes = file(n);
      const [first] = layersOf(1);
      const pytorch = { ...options(1).options.pytorch, layers: [first!], ignore: ['l1*', '*9.bias'] };
      return () => expect(readPytorch(bytes, { options: { pytorch } })).rejects.toThrow(/no layer uses/);
    });
  });
});
