import { GruError } from '../../base/errors.ts';
import { describe } from '../../base/tensor.ts';
import type { WeightDtype } from '../../base/weights.ts';
import type { GruModel } from '../model.ts';
import { choose, ladder, type Rung } from './choose.ts';
import type { Difference } from './difference.ts';
import { eachAlone, type LayerSensitivity } from './sensitivity.ts';
import { timeRatio } from './time.ts';
import { SENSITIVITY_OPTIONS, type SensitivityOptions, type Sequences, Variants } from './variants.ts';

/** Options of {@link autoPrecision}. */
export interface AutoPrecisionOptions extends SensitivityOptions {
  /** The largest distance from float32 that a value of an output may have, on the sequences: a number from 0. It has no default. */
  maxError: number;
  /**
   * What is to be least: the time of `run` on this machine, or the bytes of the weights. Default `speed`: it times runs of the model, and
   * takes the finer precision where a coarser one is no faster by 2 %. `size` times nothing, and gives the same on every machine.
   */
  prefer?: 'speed' | 'size' | undefined;
}

/** What {@link autoPrecision} gives: how far the outputs are from float32 in the precision that was found, measured on the sequences. */
export interface AutoPrecision extends Difference {
  /** By layer, for `loadModel`. */
  precision: Record<string, WeightDtype>;
  /** Bytes of the weights that can be integers, their scales included, in this precision; and in float32. */
  bytes: number;
  /** {@link bytes} in float32. */
  bytesInFloat32: number;
  /** How many times as fast as float32 the model runs over the sequences, on this machine. Undefined for `prefer: 'size'`. */
  speedup: number | undefined;
}

/** Of the time of the model in float32: what is not faster by more is as fast. */
const AS_FAST = 0.02;

/**
 * Finds the fastest precision of each layer with which the outputs stay within an error that you name, on sequences that you give. What
 * the model will meet should look like them: the bound is measured on them, and on nothing else. Do it once, and ship the file:
 *
 * @param model A model in the precision that is to be kept to: weights of it that are integers stand for the numbers that they are.
 * @param sequences What `model.run` takes: an array of arrays is sequences of any lengths. They are copied at the call.
 * @throws GruError `invalid_argument` without `maxError`, and as {@link sensitivity} does; `unsupported` where the clock of the host
 *   stands still, unless `prefer` is `size`.
 *
 * @example
 * const { precision, worst, speedup } = await autoPrecision(await loadModel('speech.onnx'), sequences, { maxError: 1e-3 });
 * const model = await loadModel('speech.onnx', { precision });
 * await writeFile('speech.safetensors', model.save()); // its weights stay what they are
 */
export async function autoPrecision(
  model: GruModel,
  sequences: Sequences,
  options: AutoPrecisionOptions,
): Promise<AutoPrecision> {
  const known = [...SENSITIVITY_OPTIONS, 'maxError', 'prefer'] as const;
  const { variants, options: read } = await Variants.of('autoPrecision', model, sequences, options, known);
  const { maxError, prefer = 'speed' } = read;
  if (!(typeof maxError === 'number' && maxError >= 0)) {
    const what = 'the largest distance from float32 that an output may have, a number from 0';
    throw new GruError('invalid_argument', `autoPrecision: give maxError, ${what}; got ${describe(maxError)}`);
  }
  if (!['speed', 'size'].includes(prefer)) {
    throw new GruError('invalid_argument', `autoPrecision: prefer must be speed or size, got ${describe(prefer)}`);
  }
  const count = variants.layers.length;
  // The model, each layer alone, and a step for each rung of each ladder; and times.
  variants.total = 2 + 4 * count + (prefer === 'speed' ? 2 * count + 1 : 0);
  if (prefer === 'speed') await variants.settled();
  const layers = new Map<string, Rung[]>();
  for (const layer of await eachAlone(variants)) {
    const costs = await costsOf(variants, layer, prefer);
    const errors = { f32: 0, i16: layer.i16.worst, i8: layer.i8.worst };
    const rungs = (['f32', 'i16', 'i8'] as const).map((dtype) => ({ dtype, cost: costs[dtype], error: errors[dtype] }));
    layers.set(layer.name, ladder(rungs, prefer === 'speed' ? AS_FAST : 0));
  }
  const chosen = await choose(layers, maxError, (precision) => variants.difference(precision));
  const found = (precision: AutoPrecision['precision'], difference: Difference, speedup: number | undefined) => ({
    ...difference,
    precision,
    bytes: variants.bytes(precision),
    bytesInFloat32: variants.bytes(variants.precision('f32')),
    speedup,
  });
  if (prefer === 'size') return found(chosen.precision, chosen.difference, undefined);
  const time = await timeOf(variants, chosen.precision);
  // Layers that seemed faster one by one: together they are not.
  if (time > 1 - AS_FAST) return found(variants.precision('f32'), { worst: 0, rms: 0 }, 1);
  return found(chosen.precision, chosen.difference, 1 / time);
}

type Costs = Record<WeightDtype, number>;

async function costsOf(variants: Variants, { name }: LayerSensitivity, prefer: 'speed' | 'size'): Promise<Costs> {
  const of = (dtype: WeightDtype) => variants.precision({ [name]: dtype });
  if (prefer === 'size') {
    return { f32: variants.bytes(of('f32')), i16: variants.bytes(of('i16')), i8: variants.bytes(of('i8')) };
  }
  return { f32: 1, i16: await timeOf(variants, of('i16')), i8: await timeOf(variants, of('i8')) };
}

/** By that of float32. */
async function timeOf(variants: Variants, precision: Record<string, WeightDtype>): Promise<number> {
  if (Object.values(precision).every((dtype) => dtype === 'f32')) return 1;
  const [one, other] = [variants.compile(precision), variants.compile(variants.precision('f32'))];
  try {
    const [run, runOther] = [() => variants.run(one), () => variants.run(other)];
    const ratio = await timeRatio(run, runOther, () => variants.turn());
    variants.count();
    return ratio;
  } finally {
    one.dispose();
    other.dispose();
  }
}
