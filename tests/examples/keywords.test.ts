import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { BANDS, createFeatures } from '../../examples/keywords/features.js';
import { createSpotter, LABELS, type Spotted } from '../../examples/keywords/spotter.js';
import { readWav } from '../../examples/keywords/wav.js';
import { parseSafetensors } from '../../ts/io/safetensors.ts';
import { BACKENDS } from '../backends.ts';
import { expectClose } from '../facade/helpers.ts';

const example = (name: string) => new URL(`../../examples/keywords/${name}`, import.meta.url);
const read = (url: URL) => new Uint8Array(readFileSync(url));
const samples = readWav(read(example('sample.wav')));
/** What sample.py wrote of sample.wav: the recipe's features and PyTorch's scores, both in float64, and when the words end. */
const { tensors } = parseSafetensors(read(new URL('../fixtures/keywords/recorded.safetensors', import.meta.url)));
const recorded = (name: string) => tensors.get(name)!.floats();

/** The keywords of sample.wav, between which `window` and `yesterday` are said, and the seconds at which they end. */
const SAID = ['yes', 'stop', 'left', 'go'];
const ENDS = recorded('ends');

/** The samples in pieces, in turn of the given lengths. */
function* cut(lengths: readonly number[]): Generator<Float32Array> {
  for (let at = 0, i = 0; at < samples.length; i++) {
    const length = lengths[i % lengths.length]!;
    yield samples.subarray(at, at + length);
    at += length;
  }
}

describe('features', () => {
  test("are the recipe's", () => {
    const expected = recorded('features');
    expectClose(createFeatures()(samples).subarray(0, expected.length), expected, { atol: 1e-4, rtol: 0 });
  });

  test.each([[[1, 399, 160, 5000]], [[128]], [[401]]])('are the same in pieces of %j samples', (lengths) => {
    const features = createFeatures();
    const pieces = [...cut(lengths)].map((piece) => features(piece));
    expect(Float32Array.from(pieces.flatMap((piece) => [...piece]))).toEqual(createFeatures()(samples));
  });
});

describe.each(BACKENDS)('$name', ({ api }) => {
  const load = () => api.loadModel(read(example('keywords.safetensors')));

  test("scores are PyTorch's", async () => {
    using model = await load();
    const { output } = model.run(createFeatures()(samples));
    expect(output.shape).toEqual([Math.ceil(createFeatures()(samples).length / BANDS / 2), LABELS.length]);
    expectClose(output.data, recorded('scores'), { atol: 1e-5, rtol: 0 });
  });

  test('samples that are no numbers, or too loud, are heard as silence, or at most: no word is told of them, all after them are', async () => {
    using model = await load();
    const spotter = createSpotter(model);
    const bad = Float32Array.from({ length: 4000 }, (_, i) => [NaN, Infinity, -Infinity, 3e38, 0][i % 5]!);
    expect(spotter.hear(Float32Array.of(NaN, ...new Float32Array(8000)))).toEqual([]);
    for (const { score } of spotter.hear(bad)) expect(score).toBeGreaterThan(0);
    spotter.hear(new Float32Array(16_000));
    expect(spotter.hear(samples).map(({ word }) => word)).toEqual(SAID);
  });

  test('the words of a recording, each soon after its end', async () => {
    using model = await load();
    const heard = createSpotter(model).hear(samples);
    expect(heard.map(({ word }) => word)).toEqual(SAID);
    heard.forEach(({ time, score }, i) => {
      expect(time).toBeGreaterThan(ENDS[i]! - 0.1);
      expect(time).toBeLessThan(ENDS[i]! + 0.2);
      expect(score).toBeGreaterThanOrEqual(0.65);
    });
  });

  test('the same events and scores in pieces of any lengths', async () => {
    using model = await load();
    const hear = (pieces: Iterable<Float32Array>) => {
      const rows: number[][] = [];
      const spotter = createSpotter(model, { onRow: (scores, time) => rows.push([time, ...scores]) });
      const heard: Spotted[] = [];
      for (const piece of pieces) heard.push(...spotter.hear(piece));
      spotter.dispose();
      return { heard, rows };
    };
    const whole = hear([samples]);
    expect(whole.rows).toHaveLength(recorded('scores').length / LABELS.length);
    expect(hear(cut([128]))).toEqual(whole);
    expect(hear(cut([1, 777, 159, 16000]))).toEqual(whole);
  });

  test('a threshold that is too high is never reached', async () => {
    using model = await load();
    expect(createSpotter(model, { threshold: 1.01 }).hear(samples)).toEqual([]);
  });
});

describe('readWav', () => {
  const bytes = read(example('sample.wav'));
  const changed = (at: number, value: number) => bytes.map((byte, i) => (i === at ? value : byte));

  test.each([
    ['no WAV file', changed(8, 0), 'not a WAV file'],
    ['an empty one', new Uint8Array(), 'not a WAV file'],
    ['two channels', changed(22, 2), '2 channels, 16000 Hz, 16 bits; make it one channel'],
    ['another rate', changed(25, 0x2e), '1 channels, 11904 Hz, 16 bits; make it'],
    ['another format', changed(20, 3), 'of format 3,'],
    ['no samples', bytes.subarray(0, 36), 'without samples'],
  ])('refuses %s', (_, file, message) => {
    expect(() => readWav(file)).toThrow(message);
  });
});

test('raw samples on stdin are heard as the file is', async () => {
  const main = async (args: string[], input: Uint8Array) => {
    const child = spawn(process.execPath, [fileURLToPath(example('main.js')), ...args]);
    child.stdin.end(input);
    const [out] = await Promise.all([text(child.stdout), once(child, 'close')]);
    return out;
  };
  const expected = await main([], new Uint8Array());
  expect(expected.trim().split('\n')).toHaveLength(SAID.length);
  expect(await main(['-'], read(example('sample.wav')).subarray(44))).toBe(expected);
});
