import { describe, expect, test } from 'vitest';
import { createModel } from '../../ts/index.ts';
import { compileForWorklet, createModelSync } from '../../ts/worklet.ts';
import { expectError, oneGru, tensor } from './helpers.ts';

describe('gru-wasm/worklet', () => {
  test.each([true, false])('the same bits as the model it comes from; deterministic: %s', async (deterministic) => {
    using model = await createModel(oneGru(3, 5), { deterministic });
    const message = structuredClone({
      spec: model.spec,
      relaxed: (await compileForWorklet({ deterministic })).relaxed,
    });
    const core = await compileForWorklet({ deterministic });
    expect(message.relaxed).toBe(core.relaxed);
    using other = createModelSync(core, message.spec);
    expect(other.backend).toBe(model.backend);
    const x = tensor([7, 3]);
    expect(other.run(x)).toEqual(model.run(x));
  });

  test('two models of one thread share the core', async () => {
    const core = await compileForWorklet();
    using first = createModelSync(core, oneGru(3, 5));
    using second = createModelSync(core, oneGru(3, 7));
    const x = tensor([7, 3]);
    const { output } = first.run(x);
    second.run(x);
    expect(first.run(x).output).toEqual(output);
  });

  test('errors name what is wrong', async () => {
    const core = await compileForWorklet();
    const create = (change: object) => () => createModelSync({ ...core, ...change }, oneGru(3, 5));
    await expectError(() => createModelSync(undefined as never, oneGru(3, 5)), 'invalid_argument', 'compileForWorklet');
    await expectError(create({ module: new Uint8Array(8) }), 'invalid_argument', 'core.module', 'Uint8Array');
    await expectError(create({ relaxed: undefined }), 'invalid_argument', 'core.relaxed', 'undefined');
    await expectError(create({ kernels: 0.5 }), 'invalid_argument', 'core.kernels', '0.5');
    await expectError(create({ kernels: 99 }), 'invalid_argument', 'kernels 99');
    await expectError(() => createModelSync(core, 'x' as never), 'invalid_spec', "'x'");
    await expectError(() => createModelSync(core, { ...oneGru(3, 5), layers: [] }), 'invalid_spec');
    await expectError(() => compileForWorklet({ fast: true } as object), 'invalid_argument', "'fast'");
  });
});
