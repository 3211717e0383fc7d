import { build } from 'esbuild';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Inert } from '../../ts/formats/pytorch/values.ts';
import { unpickle } from '../../ts/formats/pytorch/pickle.ts';
import { TORCH } from '../../ts/formats/pytorch/globals.ts';
import { readPytorch, type PytorchOptions } from '../../ts/formats/pytorch.ts';
import { openZip } from '../../ts/io/zip.ts';
import { random } from '../random.ts';
import { mutate, stopwatch, survives } from './mutate.ts';
import { writeZip } from './zip-writer.ts';

const FOLDER = new URL('../fixtures/pytorch/', import.meta.url);
const CASES = new URL('../fixtures/cases/', import.meta.url);
const read = (name: string, folder = FOLDER) => new Uint8Array(readFileSync(new URL(name, folder)));
const text = (s: string) => Uint8Array.from(s, (c) => c.charCodeAt(0));
const concat = (...parts: Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));
const repeat = (s: string, n: number) => text(s.repeat(n));

const options = { pytorch: { layers: [{ embedding: 'embedding' }, { gru: 'gru' }, { linear: 'fc' }] } };
const load = (bytes: Uint8Array) => readPytorch(bytes, { options });
const small = read('torch_gru_i3_h5/model.pt', CASES);
const model = 'torch_module_embedding_gru_linear/';

/** A file of torch.save with this pickle, CRCs right. */
const zipped = (pickle: Uint8Array) => writeZip([{ name: 'm/data.pkl', data: pickle }]);

const script = fileURLToPath(new URL(`../../target/pytorch-reader-${process.pid}.mjs`, import.meta.url));
beforeAll(async () => {
  const contents = `
    import { parentPort, workerData } from 'node:worker_threads';
    import { readPytorch } from './ts/formats/pytorch.ts';
    const { bytes, options } = workerData;
    const ended = await readPytorch(bytes, { options }).then(() => 'read', ({ name, code }) => name + ' ' + code);
    parentPort.postMessage({ ended, arrays: process.memoryUsage().arrayBuffers });`;
  await build({
    stdin: { contents, resolveDir: fileURLToPath(new URL('../../', import.meta.url)) },
    outfile: script,
    bundle: true,
    format: 'esm',
    platform: 'node',
    logLevel: 'error',
  });
});
afterAll(() => {
  rmSync(script, { force: true });
});

/** Reads a file where objects have so many bytes, which does not depend on when they are collected. @returns How it ended. */
async function readWithin(most: number, bytes: Uint8Array): Promise<string> {
  const resourceLimits = { maxOldGenerationSizeMb: Math.ceil(most / 2 ** 20), maxYoungGenerationSizeMb: 4 };
  const worker = new Worker(script, { workerData: { bytes, options }, resourceLimits });
  try {
    const [{ ended, arrays }] = (await once(worker, 'message')) as [{ ended: string; arrays: number }];
    expect(arrays).toBeLessThan(most);
    return ended;
  } finally {
    await worker.terminate();
  }
}

describe('a file cut at every byte', () => {
  test.each([
    ['zip', small],
    ['legacy', read('protocol4_legacy.pt')],
    ['safetensors', read('torch_gru_i3_h5/model.safetensors', CASES)],
    ['NumPy', read('gru.npz')],
    ['TorchScript', read('script_gru.pt')],
  ])('%s', async (_, bytes) => {
    for (let n = 0; n < bytes.length; n++) {
      const error: unknown = await readPytorch(bytes.subarray(0, n)).catch((e: unknown) => e);
      expect(error, `cut at ${n}`).toMatchObject({ name: 'GruError' });
    }
  });
});

describe('damaged files', () => {
  test.each(['model.pt', 'model_legacy.pt', 'checkpoint.pt', 'model.safetensors'])('%s', async (file) => {
    const bytes = read(model + file, CASES);
    const next = random(file.length);
    for (let i = 0; i < 1500; i++) await survives(load, mutate(bytes, next));
  });

  test.each<[string, string, string, PytorchOptions]>([
    ['pickles', 'checkpoint_p4.pt', 'data.pkl', { layers: [{ gru: 'rnn' }, { linear: 'head' }] }],
    ['programs', 'script_gru.pt', 'data.pkl', { layers: [{ gru: 'rnn' }, { linear: 'head' }] }],
    ['arrays of NumPy', 'gru.npz', '.npy', {}],
    ['compressed arrays of NumPy', 'gru_compressed.npz', '.npy', {}],
  ])('%s inside of zip files whose CRCs are right', async (_, file, end, pytorch) => {
    const bytes = read(file);
    const zip = await openZip(bytes, 'x');
    const files = await Promise.all(zip.names.map(async (name) => ({ name, data: await zip.read(name) })));
    const next = random(5);
    let accepted = 0;
    for (let i = 0; i < 500; i++) {
      const mutated = files.map((f) =>
        f.name.endsWith(end) && next() < 0.5 ? { ...f, data: mutate(f.data, next) } : f,
      );
      const made = async (b: Uint8Array) => {
        await readPytorch(b, { options: { pytorch } });
        accepted++;
      };
      await survives(made, writeZip(mutated));
    }
    expect(accepted).toBeGreaterThan(10);
  });
});

describe('a hostile pickle', () => {
  const PROTO = '\x80\x02';
  const GLOBAL = 'ctorch._utils\n_rebuild_tensor_v2\n';
  const STORAGE = '(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ';
  const tensor = (offset: string, size: string, stride: string) =>
    `${GLOBAL}(${STORAGE}${offset}${size}${stride}\x89NtR`;
  const dict = (entries: string) => `${PROTO}}(${entries}u.`;
  const key = (name: string) => `X${String.fromCharCode(name.length)}\x00\x00\x00${name}`;
  const withData = (pickle: string, data = new Uint8Array(16)) =>
    writeZip([
      { name: 'm/data.pkl', data: text(pickle) },
      { name: 'm/data/0', data },
    ]);
  const asLinear = (bytes: Uint8Array) => readPytorch(bytes, { options: { pytorch: { layers: [{ linear: 'fc' }] } } });
  const int = (n: number) => 'J' + String.fromCharCode(n & 255, (n >> 8) & 255, (n >> 16) & 255, n >>> 24);

  test('is the same as one of torch.save where it is not hostile', async () => {
    const { spec } = await asLinear(
      withData(dict(key('fc.weight') + tensor('K\x00', 'K\x02K\x02\x86', 'K\x02K\x01\x86'))),
    );
    expect(spec.layers[0]).toMatchObject({ type: 'dense', inputSize: 2, outputSize: 2 });
  });

  test.each<[string, string, RegExp]>([
    ['a view past its storage', dict(key('fc.weight') + tensor('K\x01', 'K\x02K\x02\x86', 'K\x02K\x01\x86')), /reaches element 4 of a storage of 4/],
    ['an offset past its storage', dict(key('fc.weight') + tensor(int(0x7fffffff), 'K\x02K\x02\x86', 'K\x02K\x01\x86')), /reaches element/],
    ['a negative offset', dict(key('fc.weight') + tensor(int(-1), 'K\x02K\x02\x86', 'K\x02K\x01\x86')), /offset of a tensor is -1/],
    ['a negative stride', dict(key('fc.weight') + tensor('K\x00', 'K\x02K\x02\x86', `K\x02${int(-1)}\x86`)), /strides of a tensor is -1/],
    ['a view of stride 0 without an end', dict(key('fc.weight') + tensor('K\x00', `${int(100_000)}${int(100_000)}\x86`, 'K\x00K\x00\x86')), /too large for its file/],
    ['a shape beyond all numbers', dict(key('fc.weight') + tensor('K\x00', `(${int(0x7fffffff).repeat(60)}t`, `(${'K\x00'.repeat(60)}t`)), /shape is too large/],
    ['a storage larger than its file', dict(key('fc.weight') + tensor('K\x00', 'K\x02K\x02\x86', 'K\x02K\x01\x86')).replace('K\x04t', `${int(1e9)}t`), /its storage has 1000000000 elements/],
    ['os.system', `${PROTO}cos\nsystem\nX\x02\x00\x00\x00ls\x85R.`, /unsupported.*'os\.system'/],
    ['builtins.eval by STACK_GLOBAL', `\x80\x04\x8c\x08builtins\x8c\x04eval\x93.`, /'builtins\.eval'/],
    ['an attribute of an allowed name', `\x80\x04\x8c\x0bcollections\x8c\x14OrderedDict.__init__\x93.`, /OrderedDict\.__init__, no state dict/],
    ['__proto__ as a name', `${PROTO}c__proto__\nconstructor\n.`, /__proto__\.constructor, no state dict/],
    ['a module that holds itself', `${PROTO}c__torch__.M\nM\n)\x81q\x00}X\x01\x00\x00\x00ah\x00sb.`, /unsupported.*more than 64 deep/],
    ['INST', `${PROTO}(ios\nsystem\n.`, /INST/],
    ['an extension', `${PROTO}\x82\x01.`, /EXT1/],
    ['a whole module', `${PROTO}(X\x06\x00\x00\x00moduleNNNtQ.`, /a persistent id means module/],
    ['an attribute set', `${PROTO}ccollections\nOrderedDict\n)R}X\x01\x00\x00\x00aNsb.`, /attribute 'a'/],
    ['a list that holds itself', `${PROTO}]q\x00h\x00a.`, /a list/],
    ['a dict that holds itself', `${PROTO}}q\x00X\x01\x00\x00\x00ah\x00s.`, /no state dict/],
    ['an integer of megabytes', `${PROTO}\x8b\x00\x00\x10\x00${'\xff'.repeat(0x100000)}.`, /an integer of/],
    ['protocol 9', '\x80\x09N.', /protocol|neither/],
    ['no end', `${PROTO}NNN`, /bytes are said to follow/],
    ['values left over', `${PROTO}NN.`, /left over/],
  ])('%s', async (_, pickle, message) => {
    const error: unknown = await asLinear(withData(pickle)).catch((e: unknown) => e);
    expect(error).toMatchObject({ name: 'GruError' });
    const { code, message: got } = error as { code: string; message: string };
    expect(`${code} ${got}`).toMatch(message);
  }); // prettier-ignore

  test.each<[string, Uint8Array]>([
    ['a million lists in each other', concat(text(PROTO), repeat(']', 1e6), repeat('a', 1e6 - 1), text('.'))],
    ['a million tuples in each other', concat(text(PROTO), text(')'), repeat('\x85', 1e6), text('.'))],
    ['a million dicts', concat(text(PROTO), text('('), repeat('}', 1e6), text('t.'))],
    ['a million marks', concat(text(PROTO), repeat('(', 1e6))],
    ['a million memos', concat(text(PROTO), repeat('N\x94', 1e6), text('.'))],
    ['a value doubled a million times', concat(text(PROTO), text(']'), repeat('2', 1e6))],
    ['modules that share', concat(text(PROTO), text('c__torch__.M\nM\nq\x01)\x81q\x00'), repeat('0h\x01)\x81}(X\x01\x00\x00\x00ah\x00X\x01\x00\x00\x00bh\x00ubq\x00', 60), text('.'))],
    ['modules of a dict that share', concat(text(PROTO), text(`}(`), ...Array.from({ length: 20_000 }, (_, i) => text(`${key(`p${i}`)}N`)), text('uq\x000}q\x010}('), ...Array.from({ length: 2000 }, (_, i) => text(`${key(`m${i}`)}cm\nM\n)\x81}(${key('_parameters')}h\x00${key('_modules')}h\x01ub`)), text('u.'))],
    ['modules of a dict that share tensors', concat(text(PROTO), text(`${tensor('K\x00', 'K\x02K\x02\x86', 'K\x02K\x01\x86')}q\x020}(`), ...Array.from({ length: 20_000 }, (_, i) => text(`${key(`p${i}`)}h\x02`)), text('uq\x000}q\x010}('), ...Array.from({ length: 2000 }, (_, i) => text(`${key(`m${i}`)}cm\nM\n)\x81}(${key('_parameters')}h\x00${key('_modules')}h\x01ub`)), text('u.'))],
    ['nested dicts that share', concat(text(PROTO), text('}q\x00'), repeat('0}(X\x01\x00\x00\x00ah\x00X\x01\x00\x00\x00bh\x00uq\x00', 60_000), text('.'))],
    ['a dict copied again and again', concat(text(PROTO), text('](N\x85\x85'), repeat('NN\x86', 1e5), text('eq\x00'), repeat('0ccollections\nOrderedDict\nh\x00\x85R', 20_000), text('.'))],
    ['a dict made again and again of one pair', concat(text(PROTO), text('NN\x86q\x01]('), repeat('h\x01', 1e5), text('eq\x00'), repeat('0ccollections\nOrderedDict\nh\x00\x85R', 20_000), text('.'))],
    ['tensors of 64 dimensions', concat(text(PROTO), text(`${GLOBAL}q\x00(${STORAGE}K\x00(${'K\x01'.repeat(64)}t2\x89Ntq\x01](`), repeat('h\x00h\x01R', 200_000), text('e.'))],
    ['tensors with many flags', concat(text(PROTO), text(`${GLOBAL}q\x00(${STORAGE}K\x00))\x89N}(`), ...Array.from({ length: 20_000 }, (_, i) => text(`${int(i)}\x89`)), text('utq\x01]('), repeat('h\x00h\x01R', 50_000), text('e.'))],
    ['a tensor rebuilt in a hundred thousand others', concat(text(PROTO), text('ctorch._tensor\n_rebuild_from_type_v2\nq\x00ctorch\nTensor\nq\x01)q\x02'), repeat('0h\x00h\x01h\x02\x87q\x02', 1e5), text('0h\x00h\x02R.'))],
    ['a set copied again and again', concat(text(PROTO), text(']('), ...Array.from({ length: 250 }, (_, i) => text(`K${String.fromCharCode(i)}`)), text('eq\x00'), repeat('0cbuiltins\nset\nh\x00\x85R', 40_000), text('.'))],
  ])('%s ends, in little time and memory', async (_, pickle) => {
    const took = stopwatch();
    expect(await readWithin(64 * 2 ** 20 + 4 * pickle.length, zipped(pickle))).toMatch(/^(read|GruError (?!internal).*)$/);
    expect(took()).toBeLessThan(10_000);
  }); // prettier-ignore
});

test.each([
  ['torch', 'ScriptObject'],
  ['torch._utils', '_rebuild_qtensor'],
])('what quantization leaves is told to be that: %s.%s', (module, name) => {
  const read = () => unpickle(text(`\x80\x02c${module}\n${name}\n)R.`), 0, TORCH, 1e6).value;
  expect(read).toThrow(/quantized .* from before that/);
});

test('an unpickled value never holds a function of the host', () => {
  const names = ['constructor', '__proto__', 'toString', 'hasOwnProperty'];
  for (const name of names) {
    for (const module of ['torch', 'collections', '', 'Object']) {
      const read = () => unpickle(text(`\x80\x02c${module}\n${name}\n)R.`), 0, TORCH, 1e6).value;
      if (module === 'torch') expect(read).toThrow(/'torch\..*are not read/);
      else expect(read()).toStrictEqual(new Inert(`${module}.${name}`));
    }
  }
});
