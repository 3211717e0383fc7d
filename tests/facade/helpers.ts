import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { GruError, type GruErrorCode } from '../../ts/base/errors.ts';
import { parseSafetensors, type SafetensorsTensor } from '../../ts/io/safetensors.ts';
import type { GruSpec, ModelSpec } from '../../ts/spec/spec.ts';
import type { GruModel } from '../../ts/api/model.ts';
import type { Tensor } from '../../ts/base/tensor.ts';
import { Random } from '../random.ts';
import type { Tolerance } from '../tolerances.ts';

/** Numbers in [-scale, scale) that are the same in each run. */
export function numbers(length: number, seed = 1, scale = 1): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return scale * (state / 2 ** 31 - 1);
  });
}

export function tensor(shape: number[], seed = 1): Tensor {
  return {
    data: numbers(
      shape.reduce((n, d) => n * d, 1),
      seed,
    ),
    shape,
  };
}

/** A gru layer with weights that are the same in each run. */
export function gruLayer(name: string, inputSize: number, hiddenSize: number, options: Partial<GruSpec> = {}): GruSpec {
  const both = options.direction === 'bidirectional';
  const directions = both
    ? (['forward', 'reverse'] as const)
    : [options.direction === 'reverse' ? 'reverse' : 'forward'];
  const resetAfter = options.resetAfter ?? true;
  const weights = directions.flatMap((direction, i) => [
    [`${direction}.input`, numbers(3 * hiddenSize * inputSize, 10 + i, 0.7)],
    [`${direction}.recurrent`, numbers(3 * hiddenSize * hiddenSize, 20 + i, 0.7)],
    [`${direction}.bias`, numbers(3 * hiddenSize, 30 + i, 0.3)],
    ...(resetAfter ? [[`${direction}.recurrentBias`, numbers(hiddenSize, 40 + i, 0.3)]] : []),
  ]);
  return {
    name,
    type: 'gru',
    inputSize,
    hiddenSize,
    resetAfter,
    ...options,
    weights: Object.fromEntries(weights) as GruSpec['weights'],
  };
}

/** Ids -> embedding -> two gru layers -> logits; outputs `logits` (a row a step) and `summary` (a row a sequence). */
export function textModel(options: Partial<GruSpec> = {}): ModelSpec {
  return {
    inputs: [{ name: 'ids', dtype: 'int32', size: 1 }],
    layers: [
      {
        name: 'embedding',
        type: 'embedding',
        vocabularySize: 11,
        outputSize: 3,
        weights: { embeddings: numbers(33, 5) },
      },
      gruLayer('first', 3, 4, options),
      gruLayer('second', 4, 5),
      {
        name: 'logits',
        type: 'dense',
        inputSize: 5,
        outputSize: 2,
        weights: { kernel: numbers(10, 6), bias: numbers(2, 7) },
      },
    ],
    outputs: ['logits', { name: 'summary', from: 'second:last' }],
  };
}

/** Features (a row a step) and a vector (a row a sequence) -> two gru layers and a dense one. */
export function twoInputs(): ModelSpec {
  return {
    inputs: [
      { name: 'frames', dtype: 'float32', size: 3 },
      { name: 'more', dtype: 'float32', size: 2 },
      { name: 'speaker', dtype: 'float32', size: 4, kind: 'vector' },
    ],
    layers: [
      { name: 'both', type: 'merge', inputs: ['frames', 'more'], merge: 'concat' },
      gruLayer('gru', 5, 6),
      {
        name: 'voice',
        type: 'dense',
        inputs: ['speaker'],
        inputSize: 4,
        outputSize: 2,
        weights: { kernel: numbers(8, 9) },
      },
    ],
    outputs: [{ name: 'states', from: 'gru' }, 'voice'],
  };
}

/** A spec with one gru layer, input `x` and output `y`. */
export function oneGru(inputSize: number, hiddenSize: number, options: Partial<GruSpec> = {}): ModelSpec {
  return {
    inputs: [{ name: 'x', dtype: 'float32', size: inputSize }],
    layers: [gruLayer('gru', inputSize, hiddenSize, options)],
    outputs: [{ name: 'y', from: 'gru' }],
  };
}

export function expectClose(
  got: Float32Array,
  expected: ArrayLike<number>,
  { atol, rtol }: Tolerance,
  what = '',
): void {
  expect(got.length, `${what}: length`).toBe(expected.length);
  for (let i = 0; i < got.length; i++) {
    const [a, b] = [got[i]!, expected[i]!];
    if (Object.is(a, b) || Math.abs(a - b) <= atol + rtol * Math.abs(b)) continue;
    expect.fail(`${what}: value ${i} is ${a}, expected ${b} within ${atol} + ${rtol} x`);
  }
}

/** The GruError that a call throws. */
export function failure(act: () => unknown): GruError {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(GruError);
    return error as GruError;
  }
  throw new Error('nothing was thrown');
}

/** Expects a GruError with this code whose message holds all of `words`. */
export async function expectError(f: () => unknown, code: GruErrorCode, ...words: string[]): Promise<void> {
  let error: unknown;
  try {
    await f();
  } catch (e) {
    error = e;
  }
  if (!(error instanceof GruError)) expect.fail(`expected a GruError, got ${String(error)}`);
  expect(error.message).toSatisfy((message: string) => words.every((word) => message.includes(word)), words.join(', '));
  expect(error.code).toBe(code);
}

export interface FixtureCase {
  name: string;
  meta: { args: Record<string, unknown>; tolerance: Tolerance };
  model: Map<string, SafetensorsTensor>;
  /** A recorded tensor; undefined if there is none of this name. */
  io: (name: string) => Tensor | undefined;
  /** The same, which must be there. */
  need: (name: string) => Tensor;
  ids: (name: string) => { data: Int32Array; shape: number[] };
}

/** A case of tests/fixtures/cases: a framework's weights with recorded inputs and outputs. */
export function fixtureCase(name: string): FixtureCase {
  const read = (file: string) => readFileSync(new URL(`../fixtures/cases/${name}/${file}`, import.meta.url));
  const tensors = parseSafetensors(read('io.safetensors')).tensors;
  const io = (key: string) => {
    const found = tensors.get(key);
    return found && { data: found.floats(), shape: found.shape };
  };
  const need = (key: string) => io(key) ?? expect.fail(`${name} has no ${key}`);
  return {
    name,
    meta: JSON.parse(read('meta.json').toString()) as FixtureCase['meta'],
    model: parseSafetensors(read('model.safetensors')).tensors,
    io,
    need,
    ids: (key) => ({ data: tensors.get(key)!.ints(), shape: tensors.get(key)!.shape }),
  };
}

/**
 * Expects blocks of a stream that goes on from a snapshot after each, and of one of many streams, to give the rows of the whole run over `x`,
 * rows of `size` numbers: blocks of any steps, none among them.
 */
export function expectSameInBlocks(model: GruModel, x: Float32Array, size: number): void {
  const random = new Random(5);
  const steps = x.length / size;
  const want = [...model.run(x).output.data];
  for (let round = 0; round < 4; round++) {
    using many = model.createStreams(3);
    let stream = model.createStream();
    const [got, other]: [number[], number[]] = [[], []];
    for (let at = 0; at < steps;) {
      const block = x.subarray(at * size, (at + [random.int(0, 3), 1, random.int(0, 40), 2][round]!) * size);
      got.push(...stream.run(block));
      other.push(...many.runMany([2], [block])[0]!);
      at += block.length / size;
      const snapshot = stream.snapshot();
      stream.dispose();
      stream = model.createStream();
      stream.restore(snapshot);
    }
    stream.dispose();
    expect(got).toEqual(want);
    expect(other).toEqual(want);
  }
}
