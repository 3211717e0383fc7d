import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { readStateDict } from '../../ts/formats/pytorch.ts';
import { wrapperPrefix } from '../../ts/formats/pytorch/checkpoint.ts';
import { saveModel } from '../../ts/formats/save.ts';
import { openZip } from '../../ts/io/zip.ts';
import { loadModel } from '../../ts/index.ts';
import type { ReadOptions } from '../../ts/api/options.ts';
import { read } from '../../ts/api/read-any.ts';
import { type ModelFiles, type ModelSource, readSource } from '../../ts/io/source.ts';
import { wiringOfCase } from '../cases/pytorch-wiring.ts';
import { recordedFiles, type Recorded } from '../cases/recorded.ts';
import { situations } from '../cases/situations.ts';
import { filled } from '../filled.ts';

/** The bytes as a view that begins `offset` bytes into a larger buffer of other bytes. */
function atOffset(bytes: Uint8Array, offset: number): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(bytes.length + offset + 9).fill(0xa5);
  all.set(bytes, offset);
  return all.subarray(offset, offset + bytes.length);
}

const buffer = (bytes: Uint8Array, offset: number) => {
  const { buffer: memory, byteOffset, byteLength } = atOffset(bytes, offset);
  return Buffer.from(memory, byteOffset, byteLength);
};

/** A subclass whose methods give what they please. */
class Odd extends Uint8Array {
  override slice(): never {
    throw new Error('slice of a subclass');
  }
  override subarray(): never {
    throw new Error('subarray of a subclass');
  }
}

/** The ways in which a file comes in; only the first two know its folder. */
const DOORS: Record<string, (path: string, bytes: Uint8Array) => ModelSource> = {
  path: (path) => path,
  'file: URL': (path) => pathToFileURL(path),
  Buffer: (_, bytes) => buffer(bytes, 0),
  'Buffer at 1': (_, bytes) => buffer(bytes, 1),
  'Uint8Array at 3': (_, bytes) => atOffset(bytes, 3),
  subclass: (_, bytes) => {
    const { buffer: memory, byteOffset, byteLength } = atOffset(bytes, 5);
    return new Odd(memory, byteOffset, byteLength);
  },
  'shared memory': (_, bytes) => {
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length + 1), 1);
    shared.set(bytes);
    return shared;
  },
  ArrayBuffer: (_, bytes) => new Uint8Array(bytes).buffer,
  Blob: (_, bytes) => new Blob([new Uint8Array(bytes)]),
  Response: (_, bytes) => new Response(new Uint8Array(bytes)),
};
const PLAIN = 'ArrayBuffer';

/** What a file gives, down to the bit: the saved model, or the error. */
async function outcome(source: ModelSource, options: ReadOptions): Promise<string> {
  try {
    const { spec } = await read(source, options);
    return Buffer.from(saveModel(spec, 'float32')).toString('latin1');
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return `${code}: ${message}`;
  }
}

/** Whether it is no error: `outcome` of those that load begins with the length of a header. */
const loads = (result: string) => result[7] === '\0';

async function optionsOf({ folder, file, meta }: Recorded): Promise<ReadOptions> {
  if (file === 'model.weights.h5') {
    const zip = await openZip(new Uint8Array(readFileSync(join(folder, 'model.keras'))), 'model.keras');
    return { keras: { config: new TextDecoder().decode(await zip.read('config.json')) } };
  }
  if (!/\.(pt|pth|safetensors)$/.test(file) || (meta.class ?? '').includes('three Dense')) return {};
  const { dict } = await readStateDict(new Uint8Array(readFileSync(join(folder, file))));
  const prefix = wrapperPrefix([...dict.keys()]);
  const local = new Map([...dict].map(([n, e]) => [n.slice(prefix.length), e]));
  return { pytorch: wiringOfCase(meta.class ?? '', local, ['logits']) };
}

/** Files beside a model, as each door gives them. */
function filesOf(folder: string, model: string, door: (path: string, bytes: Uint8Array) => ModelSource): ModelFiles {
  const names = readdirSync(folder).filter((name) => name !== model && /\.(bin|data|json|weights)$/.test(name));
  return Object.fromEntries(names.map((name) => [name, door(join(folder, name), readFileSync(join(folder, name)))]));
}

async function sameByAllDoors(folder: string, file: string, options: ReadOptions): Promise<string> {
  const path = join(folder, file);
  const bytes = readFileSync(path);
  const by = async (door: string) => {
    const open = DOORS[door]!;
    const result = await outcome(open(path, bytes), { ...options, files: filesOf(folder, file, open) });
    // Messages name the file where it has a name.
    return result.replaceAll(pathToFileURL(path).href, 'the file').replaceAll(path, 'the file').replaceAll("'the file'", 'the file');
  }; // prettier-ignore
  const expected = await by(PLAIN);
  for (const door of Object.keys(DOORS)) {
    if (loads(expected)) expect((await by(door)) === expected, `${file} by ${door}`).toBe(true);
    else expect(loads(await by(door)), `${file} by ${door}`).toBe(false);
  }
  return expected;
}

describe('every recorded file gives the same bits by every door', () => {
  test.each(recordedFiles())('$label', async (recorded) => {
    const result = await sameByAllDoors(recorded.folder, recorded.file, await optionsOf(recorded));
    // A file that is refused would prove nothing; some are to be, as those that the frameworks dispute.
    const { disputed, weights_as: weightsAs } = recorded.meta;
    if (!disputed && weightsAs !== 'input') expect(result.slice(0, 300)).toSatisfy(loads);
  });

  test.each(situations().filter(({ situation }) => !situation.refuse))('$label', async ({ folder, situation }) => {
    const { file, load = {} } = situation;
    const place = join(folder, dirname(file));
    expect((await sameByAllDoors(place, basename(file), load)).slice(0, 300)).toSatisfy(loads);
  });

  const onnx = fileURLToPath(new URL('../fixtures/onnx/', import.meta.url));
  const folders = readdirSync(onnx).filter((name) => !name.includes('.'));
  test.each(filled(folders, 'folders of graphs'))('onnx/%s', async (name) => {
    const folder = join(onnx, name);
    const files = readdirSync(folder).filter((file) => file.endsWith('.onnx'));
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) await sameByAllDoors(folder, file, {});
  });

  const torch = fileURLToPath(new URL('../fixtures/pytorch/', import.meta.url));
  const checkpoints = readdirSync(torch).filter((name) => name.endsWith('.pt'));
  test.each(filled(checkpoints, 'checkpoints'))('pytorch/%s', async (file) => {
    const path = join(torch, file);
    const bytes = readFileSync(path);
    const values = async (door: string) => {
      try {
        const { dict } = await readStateDict(await readSource(DOORS[door]!(path, bytes)));
        const parts = [...dict].map(async ([name, entry]) => {
          if (typeof entry === 'string') return [name, entry];
          const floats = await entry.floats().catch((error: unknown) => new Float32Array([String(error).length]));
          return [name, entry.dtype, entry.shape, Buffer.from(floats.slice().buffer).toString('latin1')];
        });
        return JSON.stringify(await Promise.all(parts));
      } catch (error) {
        return String(error);
      }
    };
    const expected = await values(PLAIN);
    for (const door of Object.keys(DOORS)) expect((await values(door)) === expected, door).toBe(true);
  });
});

describe('bytes of the caller', () => {
  const one = (test: RegExp) => recordedFiles().find(({ label }) => test.test(label))!;
  const files = [
    one(/^torch_gru_legacy_0/),
    one(/^torch_gru_1layer\/model\.pt/),
    one(/^torch_gru_1layer\/model\.safetensors/),
    one(/^torch_containers\/repacked_deflated/),
    one(/^keras_embedding_nomask\/.*\.keras/),
    one(/^keras_embedding_nomask\/.*\.h5/),
    one(/^onnx_torch_legacy_embedding/),
    one(/^tfjs_embedding_nomask\/model\.json/),
  ];
  const backends = ['wasm', 'js'] as const;
  test.each(files.flatMap((file) => backends.map((backend) => ({ ...file, backend }))))(
    'may be overwritten once $label is loaded ($backend)',
    async ({ backend, ...recorded }) => {
      const { folder, file } = recorded;
      const options = await optionsOf(recorded);
      const bytes = new Uint8Array(readFileSync(join(folder, file)));
      const files = filesOf(folder, file, (_, data) => new Uint8Array(data)) as Record<string, Uint8Array>;
      using model = await loadModel(bytes, { ...options, files, backend });
      const input = () => {
        const [first] = model.inputs;
        if (first?.dtype !== 'float32') return Int32Array.of(1, 2);
        return new Float32Array(2 * Number(first.shape.at(-1))).fill(0.5);
      };
      const run = () => Object.values(model.run(input()).outputs).map(({ data }) => Buffer.from(data.slice().buffer));
      const [saved, ran] = [model.save(), run()];
      for (const part of [bytes, ...Object.values(files)]) part.fill(0xff);
      expect(Buffer.compare(saved, model.save())).toBe(0);
      run().forEach((output, i) => {
        expect(Buffer.compare(output, ran[i]!)).toBe(0);
      });
    },
  );

  test('whose memory was transferred are an error of ours', async () => {
    const bytes = new Uint8Array(8);
    structuredClone(bytes, { transfer: [bytes.buffer] });
    await expect(readSource(bytes)).rejects.toMatchObject({ name: 'GruError', code: 'invalid_argument' });
    await expect(readSource(bytes.buffer)).rejects.toMatchObject({ name: 'GruError', code: 'invalid_argument' });
  });
});

describe('a file of a few bytes', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gru-doors-'));
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });
  test.each(Object.keys(DOORS))('comes in by %s as a plain Uint8Array', async (door) => {
    const path = join(folder, 'few');
    const bytes = Uint8Array.of(1, 2, 3);
    writeFileSync(path, bytes);
    const got = await readSource(DOORS[door]!(path, bytes));
    expect(Object.getPrototypeOf(got)).toBe(Uint8Array.prototype);
    expect(got.buffer).toBeInstanceOf(ArrayBuffer);
    expect([...got]).toEqual([1, 2, 3]);
  });
});
