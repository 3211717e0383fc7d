import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { backendFrom, instanceOf } from '../../ts/backends/wasm/core.ts';
import type { Engine } from '../../ts/backends/wasm/engine.ts';
import { Instance } from '../../ts/backends/wasm/instance.ts';
import { resolveGraph } from '../../ts/spec/graph.ts';
import { GruModel } from '../../ts/api/model.ts';
import type { ModelSpec } from '../../ts/spec/spec.ts';
import { wasmFile } from '../built.ts';
import { expectError, numbers, oneGru } from '../facade/helpers.ts';

const compiled = () => new WebAssembly.Module(readFileSync(wasmFile()));
const bits = ({ data }: { data: Float32Array }) => Buffer.from(data.slice().buffer).toString('hex');

/** Writes over all of its memory, which the next call cannot survive. */
function ruin(module: WebAssembly.Module): void {
  new Uint8Array(instanceOf(module)!.engine.memory.buffer).fill(0xff);
}

function sync(module: WebAssembly.Module, spec: ModelSpec, kernels = 0): GruModel {
  const graph = resolveGraph(spec);
  const backend = backendFrom('baseline', module, kernels);
  return new GruModel(graph, backend.compile(graph), backend.name);
}

describe('an instance of the core', () => {
  const x = numbers(12);

  test('that traps is dead, with all that lives on it; what is made next lives on another', async () => {
    const module = compiled();
    const [model, other] = [sync(module, oneGru(4, 6)), sync(module, oneGru(4, 6))];
    const want = bits(model.run(x).output);
    const [stream, streams] = [other.createStream(), other.createStreams(3)];
    stream.step(x.subarray(0, 4));
    streams.stepMany([1], x.subarray(0, 4));
    const snapshot = stream.snapshot();
    const before = instanceOf(module);
    ruin(module);
    const dead = (f: () => unknown) => expectError(f, 'internal', 'state_r', 'dead', 'again');
    await dead(() => model.run(x));
    for (const use of [
      () => model.run(x),
      () => other.run(x),
      () => other.createStream(),
      () => other.createStreams(2),
      () => stream.step(x.subarray(0, 4)),
      () => stream.snapshot(),
      () => {
        stream.restore(snapshot);
      },
      () => stream.hiddenState,
      () => {
        stream.reset();
      },
      () => streams.stepMany([1], x.subarray(0, 4)),
      () => streams.stepMany([0, 1], x.subarray(0, 8)),
      () => streams.snapshot(1),
      () => {
        streams.restore(1, snapshot);
      },
      () => {
        streams.reset();
      },
    ]) {
      await dead(use);
    }
    using next = sync(module, oneGru(4, 6));
    expect(instanceOf(module)).not.toBe(before);
    expect(bits(next.run(x).output)).toBe(want);
    stream.dispose();
    streams.dispose();
    model.dispose();
    other.dispose();
    await expectError(() => stream.step(x), 'disposed');
    using again = sync(module, oneGru(4, 6));
    expect(bits(again.run(x).output)).toBe(want);
    expect(bits(next.run(x).output)).toBe(want);
  });

  test('dies in freeing without a word', async () => {
    const module = compiled();
    const [model, other] = [sync(module, oneGru(4, 6)), sync(module, oneGru(4, 6))];
    const stream = model.createStream();
    ruin(module);
    stream.dispose();
    model.dispose();
    await expectError(() => other.run(x), 'internal', '_free', 'dead');
  });

  test('dies in packing a model, which fails with the reason', async () => {
    const module = compiled();
    const graph = resolveGraph(oneGru(4, 6));
    const backend = backendFrom('baseline', module, 0);
    ruin(module);
    await expectError(() => backend.compile(graph), 'internal', 'dead');
    using model = new GruModel(graph, backend.compile(graph), backend.name);
    expect(model.run(x).output.shape).toEqual([3, 6]);
  });

  test('is right or dead after a stack overflow in a step', () => {
    const module = compiled();
    const model = sync(module, oneGru(4, 6));
    const want = bits(model.run(x).output);
    const stream = model.createStream();
    const [frame, y] = [x.subarray(0, 4), new Float32Array(6)];
    const errors: unknown[] = [];
    const dive = (): void => {
      try {
        dive();
      } catch {
        // Each frame tries, from the innermost out, where hardly any stack is left.
      }
      try {
        stream.step(frame, y);
      } catch (error) {
        if (errors.length < 1000) errors.push(error);
      }
    };
    dive();
    expect(errors.length).toBeGreaterThan(0);
    // The overflow may have come before the core was entered; else it is dead.
    if (instanceOf(module)!.dead) expect(() => model.run(x)).toThrow('dead');
    else expect(bits(model.run(x).output)).toBe(want);
    using next = sync(module, oneGru(4, 6));
    expect(bits(next.run(x).output)).toBe(want);
  });

  test.each([new WebAssembly.RuntimeError('unreachable'), new RangeError('Maximum call stack size exceeded')])(
    'dies of whatever its functions throw: %s',
    async (thrown) => {
      const { memory } = new WebAssembly.Instance(compiled()).exports as unknown as Engine;
      const fail = () => {
        throw thrown;
      };
      const exports = { memory, state_run: fail, state_reset: fail, state_free: fail } as unknown as Engine;
      const [running, resetting, freeing] = [new Instance(exports), new Instance(exports), new Instance(exports)];
      await expectError(() => running.run(1), 'internal', 'state_run', thrown.message);
      await expectError(() => resetting.engine.state_reset(1), 'internal', 'state_reset', thrown.message);
      expect(freeing.engine.state_free(1)).toBe(0);
      expect([running.dead, resetting.dead, freeing.dead]).toEqual([true, true, true]);
      expect(running.engine.state_free(1)).toBe(0);
      await expectError(() => running.engine.state_reset(1), 'internal', 'state_run', thrown.message);
    },
  );

  test('keeps its kernels when it is replaced', () => {
    const module = compiled();
    const backend = backendFrom('baseline', module, 1);
    const first = instanceOf(module);
    ruin(module);
    expect(() => first!.engine.model_new()).toThrow('dead');
    expect(backend.shared!.kernels).toBe(1);
    expect(instanceOf(module)).not.toBe(first);
  });

  test('is that of a module, not of a name', async () => {
    const [one, two] = [compiled(), compiled()];
    using a = sync(one, oneGru(4, 6));
    using b = sync(two, oneGru(4, 6));
    expect(instanceOf(one)).not.toBe(instanceOf(two));
    ruin(one);
    await expectError(() => a.run(x), 'internal', 'dead');
    expect(b.run(x).output.shape).toEqual([3, 6]);
  });

  test('is asked for no more than 32 bits hold', async () => {
    const module = compiled();
    const graph = resolveGraph(oneGru(4, 6));
    const model = backendFrom('baseline', module, 0).compile(graph);
    for (const batch of [2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 53, Infinity]) {
      await expectError(() => model.createState(batch), 'out_of_memory');
    }
    const state = model.createState(2);
    for (const lengths of [
      [2 ** 32, 0],
      [2 ** 32 + 1, 1],
      [2 ** 31, 0],
      [2 ** 31 - 1, 0],
      [2 ** 28, 2 ** 28],
    ]) {
      await expectError(() => {
        state.setLengths([{ lengths }]);
      }, 'out_of_memory');
    }
    state.setLengths([{ lengths: [1, 1] }]);
    state.run();
  });

  test('gives views of no length that outlive the growth of its memory', () => {
    const module = compiled();
    const model = backendFrom('baseline', module, 0).compile(resolveGraph(oneGru(4, 6)));
    const state = model.createState(1);
    state.setLengths([{ lengths: [0] }]);
    const { memory } = instanceOf(module)!.engine;
    state.inputFloats(0).set([]);
    memory.grow(1);
    state.inputFloats(0).set([]);
    expect(state.output(0).buffer).toBe(memory.buffer);
  });
});

describe('entries after a death', () => {
  const x = numbers(12);

  test('gru-wasm', async () => {
    const { createModel, loadModel } = await import('../../ts/index.ts');
    const { wasmBackend } = await import('../../ts/backends/wasm/index.ts');
    const { coreBinaries } = await import('../../ts/backends/wasm/binaries.ts');
    for (const deterministic of [false, true]) {
      const { shared } = await wasmBackend({ deterministic, binaries: coreBinaries });
      const model = await createModel(oneGru(4, 6), { deterministic });
      const want = bits(model.run(x).output);
      ruin(shared!.module);
      await expectError(() => model.run(x), 'internal', 'dead');
      for (let i = 0; i < 2; i++) {
        using next = await loadModel(model.save(), { deterministic });
        expect(next.backend).toBe(model.backend);
        expect(bits(next.run(x).output)).toBe(want);
      }
    }
  });

  test('gru-wasm/slim: runtimes share nothing but a module given to both', async () => {
    const { createRuntime } = await import('../../ts/slim.ts');
    const [one, two] = [compiled(), compiled()];
    const [first, second, third] = [one, two, one].map((baseline) => createRuntime({ baseline }));
    const a = await first!.createModel(oneGru(4, 6));
    using b = await second!.createModel(oneGru(4, 6));
    const c = await third!.createModel(oneGru(4, 6));
    const want = bits(b.run(x).output);
    ruin(one);
    await expectError(() => a.run(x), 'internal', 'dead');
    await expectError(() => c.run(x), 'internal', 'dead');
    expect(bits(b.run(x).output)).toBe(want);
    using next = await third!.createModel(oneGru(4, 6));
    expect(bits(next.run(x).output)).toBe(want);
    const broken = createRuntime({ baseline: new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]) });
    await expectError(() => broken.createModel(oneGru(4, 6)), 'backend_unavailable', 'version');
  });
});
