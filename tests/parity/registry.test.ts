import { expect, test } from 'vitest';
import { coreJsBackend } from '../../ts/backends/js/core.ts';
import { JS_LAYERS } from '../../ts/backends/js/layers/full.ts';
import { JS_CORE_LAYERS } from '../../ts/backends/js/layers/index.ts';
import { GruError } from '../../ts/base/errors.ts';
import { LAYERS, useAllKinds } from '../../ts/layers/full.ts';
import { CORE_LAYERS } from '../../ts/layers/index.ts';
import { resolveGraph } from '../../ts/spec/graph.ts';
import { nativeLayers } from './native.ts';

test('the core, the facade and the JS backend know the same kinds of layers', () => {
  const numbered = Object.values(LAYERS).sort((a, b) => a.code - b.code);
  expect(numbered.map(({ type }) => type)).toEqual(nativeLayers());
  expect(numbered.map(({ code }) => code)).toEqual(numbered.map((_, i) => i));
  expect(Object.keys(JS_LAYERS).sort()).toEqual(Object.keys(LAYERS).sort());
});

test('the JS backend of the core flavour has its kinds, and names a layer of another', () => {
  expect(Object.keys(JS_CORE_LAYERS)).toEqual(Object.keys(CORE_LAYERS));
  useAllKinds();
  const graph = resolveGraph({
    inputs: [{ name: 'x', dtype: 'float32', size: 1 }],
    layers: [{ name: 'times', type: 'scale', inputSize: 1, weights: { scale: Float32Array.of(2) } }],
  });
  expect(() => coreJsBackend.compile(graph)).toThrow(
    new GruError('internal', "layer 'times': this backend has no scale layers"),
  );
});
