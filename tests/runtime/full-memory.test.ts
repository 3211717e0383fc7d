import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { backendFrom, instanceOf } from '../../ts/backends/wasm/core.ts';
import { GruError } from '../../ts/base/errors.ts';
import { resolveGraph } from '../../ts/spec/graph.ts';
import { GruModel } from '../../ts/api/model.ts';
import type { ModelSpec } from '../../ts/spec/spec.ts';
import { wasmFile } from '../built.ts';
import { numbers, oneGru, textModel } from '../facade/helpers.ts';

const KB = 256;

describe('when the 4 GB of wasm memory are full', () => {
  const module = new WebAssembly.Module(readFileSync(wasmFile()));
  const make = (spec: ModelSpec) => {
    const graph = resolveGraph(spec);
    const backend = backendFrom('baseline', module, 0);
    return new GruModel(graph, backend.compile(graph), backend.name);
  };
  const bits = ({ data }: { data: Float32Array }) => Buffer.from(data.slice().buffer).toString('hex');

  test('each call works or says out_of_memory, and others work on', () => {
    const x = numbers(20);
    const healthy = make(oneGru(4, 6));
    const busy = make(oneGru(4, 6));
    const want = bits(healthy.run(x).output);
    const instance = instanceOf(module)!;
    const { engine } = instance;
    // All but the last 8 MB are taken behind the allocator's back, never touched: blocks are zeroed, which would cost real memory.
    engine.memory.grow(65_536 - 128 - engine.memory.buffer.byteLength / 2 ** 16);
    const blocks: number[] = [];
    const fill = (from: number) => {
      for (let words = from; words >= 1;) {
        const block = engine.block_new(words);
        if (block > 0) blocks.push(block);
        else words = Math.floor(words / 2);
      }
    };
    fill(2 ** 20);
    // Not the last page: a heap that ends at 2^32 ends at 0 for the allocator.
    expect(engine.memory.buffer.byteLength).toBe(2 ** 32 - 2 ** 16);
    const addresses = blocks.map((block) => engine.block_address(block) >>> 0);
    expect(addresses).not.toContain(0);
    expect(Math.max(...addresses)).toBeGreaterThan(2 ** 31);

    const tally = { worked: 0, refused: 0 };
    const attempt = (what: string, f: () => void) => {
      try {
        f();
        tally.worked++;
      } catch (error) {
        if (!(error instanceof GruError && error.code === 'out_of_memory')) {
          throw new Error(`${what}: ${String(error)}`, { cause: error });
        }
        tally.refused++;
      }
      expect(instance.dead).toBe(false);
    };
    const use = (room: string) => {
      for (const [name, spec] of Object.entries({ gru: oneGru(4, 6), wide: oneGru(16, 64), text: textModel() })) {
        attempt(`createModel ${name}, ${room}`, () => {
          make(spec).dispose();
        });
      }
      for (const batch of [1, 7, 300]) {
        attempt(`createStream of ${batch}, ${room}`, () => {
          using stream = busy.createStream({ batch });
          stream.step(numbers(4 * batch));
        });
        attempt(`createStreams of ${batch}, ${room}`, () => {
          using streams = busy.createStreams(batch);
          streams.stepMany([0], x.subarray(0, 4));
        });
        attempt(`run of ${batch}, ${room}`, () => {
          busy.run({ data: numbers(8 * batch), shape: [batch, 2, 4] });
        });
      }
      attempt(`run of the same, ${room}`, () => {
        expect(bits(healthy.run(x).output)).toBe(want);
      });
    };
    use('none');
    for (let words = KB; words <= 256 * KB; words = Math.ceil(words * 1.1)) {
      // A gap of that size at the lower end of a block, and full besides.
      engine.block_free(blocks.shift()!);
      const gap = engine.block_new(words);
      fill(2 ** 20);
      if (gap > 0) engine.block_free(gap);
      use(`${words * 4} bytes`);
    }
    expect(tally.worked).toBeGreaterThan(0);
    expect(tally.refused).toBeGreaterThan(0);
    for (const block of blocks) engine.block_free(block);
    using model = make(oneGru(4, 6));
    expect(bits(model.run(x).output)).toBe(want);
    expect(bits(healthy.run(x).output)).toBe(want);
  });
});
