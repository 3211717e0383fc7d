import { GruError } from '../../base/errors.ts';
import { describe } from '../../base/tensor.ts';
import type { LayerSpec } from '../../spec/spec.ts';
import type { ImportedModel, ImportedTensor } from '../report.ts';
import { KINDS } from './kinds.ts';
import { channelMatrix, lastSize, NEUTRAL, RtLayer, typeOf } from './layer.ts';

/** What a file holds besides its layers: sizes and AIDA-X's gains. */
const KNOWN = ['in_shape', 'layers', 'in_skip', 'in_gain', 'out_gain'];

/** A list of layers, each of which reads the one before; around them, in AIDA-X's files, gains and a skip connection. */
export function readLayers(root: Record<string, unknown>, entries: unknown[], what: string): ImportedModel {
  const stray = Object.keys(root).find((field) => !KNOWN.includes(field) && !NEUTRAL.includes(field));
  if (stray !== undefined) throw new GruError('unsupported', `${what} has the field '${stray}', which is not known`);
  const inputSize = lastSize(root['in_shape'], `${what}: in_shape`);
  const input = { name: 'input', dtype: 'float32' as const, size: inputSize };
  if (entries.length === 0) throw new GruError('invalid_file', `${what} has no layers`);
  const typed = entries.map((entry, i) => typeOf(entry, `${what}: layers[${i}]`));
  const unknown = typed.flatMap(({ type }, i) => (Object.hasOwn(KINDS, type) ? [] : [`layers[${i}] '${type}'`]));
  if (unknown.length > 0) {
    const known = Object.keys(KINDS).join(', ');
    throw new GruError(
      'unsupported',
      `${what}: layers of types that are not supported: ${unknown.slice(0, 20).join(', ')}; supported: ${known}`,
    );
  }

  const tensors: ImportedTensor[] = [];
  const layers: LayerSpec[] = [];
  const conventions: string[] = [];
  const gain = (field: 'in_gain' | 'out_gain', size: number) => {
    const factor = gainOf(root[field], `${what}: ${field}`);
    if (factor === 1) return;
    conventions.push(`${field} ${String(root[field])} dB: channel 0 times ${factor}`);
    layers.push(gainLayer(field, size, factor, layers.at(-1)?.name ?? input.name, what));
  };
  gain('in_gain', inputSize);
  const amplified = layers.at(-1)?.name ?? input.name;

  const counts = new Map<string, number>();
  let size = inputSize;
  typed.forEach(({ fields, type }, index) => {
    const count = counts.get(type) ?? 0;
    counts.set(type, count + 1);
    const layer = new RtLayer(fields, type, count === 0 ? type : `${type}_${count}`, { what, index, inputSize: size }, tensors); // prettier-ignore
    const kind = KINDS[type]!;
    layer.checkFields(kind.fields ?? []);
    for (const spec of [kind.read(layer)].flat()) {
      layers.push({ ...spec, inputs: [layers.at(-1)?.name ?? input.name] });
    }
    size = layer.outputSize;
  });

  addSkip(root['in_skip'], layers, { name: amplified, size: inputSize }, size, what, conventions);
  gain('out_gain', size);
  const from = layers.at(-1)!.name;
  return {
    spec: { inputs: [input], layers, outputs: [{ name: 'output', from }] },
    report: { format: 'RTNeural', conventions, tensors },
  };
}

/** A gain in decibels as a factor; AIDA-X takes -90 dB and less for silence. */
function gainOf(decibels: unknown, what: string): number {
  if (decibels === undefined || decibels === null) return 1;
  if (typeof decibels !== 'number') throw new GruError('invalid_file', `${what} is ${describe(decibels)}, no number`);
  const factor = decibels > -90 ? 10 ** (decibels / 20) : 0;
  if (Math.fround(factor) === Infinity) {
    throw new GruError('invalid_file', `${what} is ${decibels} dB, more than a float32 holds`);
  }
  return factor;
}

/** Channel 0 times a factor; the others of a conditioned model are its controls. */
function gainLayer(name: string, size: number, factor: number, input: string, what: string): LayerSpec {
  const kernel = channelMatrix(size, size, `${what}: ${name}`);
  for (let i = 0; i < size; i++) kernel[i * (size + 1)] = i === 0 ? factor : 1;
  return { name, type: 'dense', inputs: [input], inputSize: size, outputSize: size, weights: { kernel } };
}

/** Adds channel 0 of the amplified input to the output, which then has one channel. */
function addSkip(
  skip: unknown,
  layers: LayerSpec[],
  input: { name: string; size: number },
  outputSize: number,
  what: string,
  conventions: string[],
): void {
  if (skip === undefined || skip === null || skip === 0) return;
  if (skip !== 1) throw new GruError('unsupported', `${what}: in_skip is ${describe(skip)}; supported: 0 and 1`);
  if (outputSize !== 1) {
    throw new GruError('unsupported', `${what}: in_skip with ${outputSize} outputs; supported: with one`);
  }
  conventions.push('in_skip 1: channel 0 of the input is added to the output');
  const last = layers.at(-1)!.name;
  let skipped = input.name;
  if (input.size > 1) {
    layers.push({ name: 'skip', type: 'slice', inputs: [skipped], start: 0, size: 1 });
    skipped = 'skip';
  }
  layers.push({ name: 'sum', type: 'merge', merge: 'sum', inputs: [last, skipped] });
}
