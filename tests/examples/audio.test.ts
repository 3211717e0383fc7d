import { expect, test, vi } from 'vitest';
import { loadModel } from '../../ts/index.ts';
import { compileForWorklet } from '../../ts/worklet.ts';
import { amp } from '../cli/gru.ts';

// The example names the library by its path in dist.
vi.mock('../../dist/worklet.js', () => import('../../ts/worklet.ts'));

interface Processor {
  process(inputs: Float32Array[][], outputs: Float32Array[][]): boolean;
}

test('the processor: quanta of any size, silence without an input, and what is no number ends with its quantum', async () => {
  let Amp: (new (options: object) => Processor) | undefined;
  vi.stubGlobal(
    'AudioWorkletProcessor',
    class {
      readonly port = undefined;
    },
  );
  vi.stubGlobal('registerProcessor', (_: string, processor: typeof Amp) => (Amp = processor));
  await import('../../examples/audio/processor.js');
  const model = await loadModel(amp, { deterministic: true });
  const core = await compileForWorklet({ deterministic: true });
  const processor = new Amp!({ processorOptions: { core, spec: model.spec } });
  const stream = model.createStream();
  const hear = (input: Float32Array | undefined, length = 128) => {
    const output = new Float32Array(length).fill(7);
    expect(processor.process([input ? [input] : []], [[output]])).toBe(true);
    return output;
  };
  const sound = (length: number) => Float32Array.from({ length }, (_, i) => Math.sin(i / 5) / 2);

  expect(hear(sound(128))).toEqual(stream.run(sound(128)));
  expect(hear(undefined)).toEqual(stream.run(new Float32Array(128)));
  expect(hear(sound(256), 256)).toEqual(stream.run(sound(256)));
  expect(hear(undefined, 64)).toEqual(stream.run(new Float32Array(64)));
  const bad = sound(128);
  bad[100] = NaN;
  expect(hear(bad)).toEqual(new Float32Array(128));
  stream.reset();
  expect(hear(sound(128))).toEqual(stream.run(sound(128)));
});
