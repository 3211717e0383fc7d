import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { BACKENDS } from '../../backends.ts';
import { excess, importFile, readTensors, runGraph } from './run.ts';

interface Meta {
  disputed: string | null;
  weights_as?: string;
  tolerance: { atol: number; rtol: number };
}

const folder = new URL('../../fixtures/cases/', import.meta.url);
const cases = readdirSync(folder).filter((name) => name.startsWith('onnx_'));
const meta = (name: string) => JSON.parse(readFileSync(new URL(`${name}/meta.json`, folder), 'utf8')) as Meta;

/** What an error about a disputed model has to name. */
const DISPUTED = /activation_alpha|activation_beta|sequence_lens/;

describe.each(cases.map((name) => ({ name, ...meta(name) })))('$name', ({ name, disputed, weights_as, tolerance }) => {
  const at = (file: string) => new URL(`${name}/${file}`, folder).pathname;
  const io = readTensors(at('io.safetensors'));
  const weights = Object.fromEntries(['W', 'R', 'B'].map((key) => [key, io[key]!]));
  const load = () => importFile(at('model.onnx'), weights_as === 'input' ? { initializers: weights } : {});

  if (disputed) {
    test('is refused', async () => {
      await expect(load().then((model) => runGraph(BACKENDS[0]!.backend, model, io))).rejects.toMatchObject({
        code: 'unsupported',
        message: expect.stringMatching(DISPUTED) as string,
      });
    });
    return;
  }
  test.each(BACKENDS)('gives the recorded outputs: $name', async ({ backend }) => {
    const model = await load();
    const results = runGraph(backend, model, io);
    expect(Object.keys(results)).not.toHaveLength(0);
    for (const [key, result] of Object.entries(results))
      expect(excess(result, io[key]!, tolerance)).toBeLessThanOrEqual(0);
  });
});
