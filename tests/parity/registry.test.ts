import { expect, test } from 'vitest';
import { JS_LAYERS } from '../../ts/backends/js/layers/index.ts';
import { LAYERS } from '../../ts/layers/full.ts';
import { nativeLayers } from './native.ts';

test('the core, the facade and the JS backend know the same kinds of layers', () => {
  const numbered = Object.values(LAYERS).sort((a, b) => a.code - b.code);
  expect(numbered.map(({ type }) => type)).toEqual(nativeLayers());
  expect(numbered.map(({ code }) => code)).toEqual(numbered.map((_, i) => i));
  expect(Object.keys(JS_LAYERS).sort()).toEqual(Object.keys(LAYERS).sort());
});
