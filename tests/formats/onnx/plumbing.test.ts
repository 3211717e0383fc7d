import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { BACKENDS } from '../../backends.ts';
import { excess, importFile, readTensors, runGraph } from './run.ts';
import { filled } from '../../filled.ts';

/** float32 against onnxruntime's, over up to 11 steps; it may fuse multiplications and additions. */
const TOLERANCE = { atol: 1e-5, rtol: 1e-5 };

const folder = new URL('../../fixtures/onnx/', import.meta.url);
const graphs = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());

describe.each(BACKENDS)('graphs in the styles of exporters: $name', ({ backend }) => {
  test.each(filled(graphs, 'graphs').map(({ name }) => name))('%s', async (name) => {
    const at = (file: string) => new URL(`${name}/${file}`, folder).pathname;
    const io = readTensors(at('io.safetensors'));
    const results = runGraph(backend, await importFile(at('model.onnx')), io);
    expect(Object.keys(results)).not.toHaveLength(0);
    for (const [key, result] of Object.entries(results))
      expect(excess(result, io[key]!, TOLERANCE)).toBeLessThanOrEqual(0);
  });
});
