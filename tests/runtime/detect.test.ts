import { afterEach, expect, test, vi } from 'vitest';
import { hasRelaxedSimd, hasSimd } from '../../ts/backends/wasm/detect.ts';
import { createModel } from '../../ts/index.ts';
import { expectError, numbers, oneGru } from '../facade/helpers.ts';

afterEach(() => {
  vi.unstubAllGlobals();
});

const thrower = () => {
  throw new Error('no');
};

test.each<[string, unknown]>([
  ['none', undefined],
  ['null', null],
  ['an object without validate', {}],
  ['one whose validate throws', { ...WebAssembly, validate: thrower }],
  ['one whose validate says no', { validate: () => false }],
])('a host whose WebAssembly is %s: JavaScript, with the reason', async (_, instead) => {
  vi.stubGlobal('WebAssembly', instead);
  expect([hasSimd(), hasRelaxedSimd()]).toEqual([false, false]);
  const reasons: string[] = [];
  using model = await createModel(oneGru(3, 5), { onFallback: ({ message }) => reasons.push(message) });
  expect(model.backend).toBe('js');
  expect(model.run(numbers(6)).output.shape).toEqual([2, 5]);
  expect(reasons).toHaveLength(1);
  await expectError(() => createModel(oneGru(3, 5), { backend: 'wasm' }), 'backend_unavailable', 'WebAssembly');
});
