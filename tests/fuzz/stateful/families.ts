import { specWith } from '../../../ts/formats/precision.ts';
import { useAllKinds } from '../../../ts/layers/full.ts';
import { type Graph, resolveGraph } from '../../../ts/spec/graph.ts';
import type { LayerSpec, ModelSpec } from '../../../ts/spec/spec.ts';
import { randomModel } from '../../facade/stream-models.ts';
import { randomLayer, type RecurrentSpec, widthOf } from '../../parity/cases.ts';
import type { Choices } from '../../random.ts';

useAllKinds();

/** A random small model, of which a world makes one on each backend. */
export interface Family {
  spec: ModelSpec;
  graph: Graph;
  streamable: boolean;
  /** All its states are those of cells: any values will do. */
  cells: boolean;
}

/** Forward alone, for a model that streams. */
function forward(layer: RecurrentSpec): RecurrentSpec {
  const weights = Object.entries(layer.weights).map(
    ([key, values]) => [key.replace('reverse', 'forward'), values] as const,
  );
  const { type, name, inputSize, hiddenSize } = layer;
  const form = layer.type === 'gru' ? { resetAfter: layer.resetAfter } : {};
  return { type, name, inputSize, hiddenSize, ...form, weights: Object.fromEntries(weights) } as RecurrentSpec;
}

function cell(random: Choices, name: string, from: string, size: number, streams: boolean): RecurrentSpec {
  const layer = randomLayer(random, name, size, { plain: true, hiddenSize: random.int(1, 9) });
  return { ...(streams ? forward(layer) : layer), inputs: [from] };
}

/** One to three cells one after the other, of any direction, behind features or ids. */
function stack(random: Choices): ModelSpec {
  const streams = random.chance(0.8);
  const size = random.int(1, 5);
  const layers: LayerSpec[] = [];
  let [value, width] = ['x', size];
  const ids = random.chance(0.35);
  if (ids) {
    const weights = { embeddings: random.floats(7 * size) };
    layers.push({ type: 'embedding', name: 'e', vocabularySize: 7, outputSize: size, weights });
    value = 'e';
  }
  for (let count = random.int(1, 3); count > 0; count--) {
    const layer = cell(random, `c${count}`, value, width, streams);
    layers.push(layer);
    [value, width] = [layer.name, widthOf(layer)];
  }
  const outputs: ModelSpec['outputs'] = [{ name: 'y', from: value }];
  if (random.chance(0.5)) outputs.push({ name: 'last', from: `${value}:last` });
  if (random.chance(0.3)) {
    layers.push({ type: 'argmax', name: 'best', inputs: [value] });
    outputs.splice(random.int(0, 1), 0, 'best');
  }
  const input = ids ? ({ dtype: 'int32', size: 1 } as const) : ({ dtype: 'float32', size } as const);
  return { inputs: [{ name: 'x', ...input }], layers, outputs };
}

/** Two axes and a vector, which meet in vectors alone. */
function axes(random: Choices): ModelSpec {
  const streams = random.chance(0.8);
  const [first, second] = [cell(random, 'a', 'x', 3, streams), cell(random, 'b', 'more', 2, streams)];
  const causal: LayerSpec = {
    type: 'conv1d',
    name: 'conv',
    inputs: ['z'],
    inputSize: 2,
    outputSize: 2,
    kernelSize: 3,
    stride: random.int(1, 2),
    padding: 'causal',
    weights: { kernel: random.floats(12) },
  };
  if (random.chance(0.4)) second.inputs = ['conv'];
  const layers: LayerSpec[] = second.inputs![0] === 'conv' ? [causal] : [];
  if (layers.length === 0) second.inputs = ['z'];
  layers.push(first, second, {
    type: 'dense',
    name: 'voice',
    inputs: ['v'],
    inputSize: 4,
    outputSize: 2,
    weights: { kernel: random.floats(8) },
  });
  const both: LayerSpec = { type: 'merge', name: 'ends', inputs: ['a:last', 'b:last'], merge: 'concat' };
  const outputs = random.pick([
    ['a', 'b', 'voice'],
    ['a', 'ends'],
    ['ends', 'voice'],
    ['b', 'voice', 'ends'],
  ]);
  if (outputs.includes('ends')) layers.push(both);
  return {
    inputs: [
      { name: 'x', dtype: 'float32', size: 3, axis: 'first' },
      { name: 'z', dtype: 'float32', size: 2, axis: 'second' },
      { name: 'v', dtype: 'float32', size: 4, kind: 'vector' },
    ],
    layers,
    outputs,
  };
}

/** Whether its weights can be integers. */
function isFinite({ layers }: ModelSpec): boolean {
  const weights = layers.flatMap((layer) => Object.values('weights' in layer ? layer.weights : {}) as Float32Array[]);
  return weights.every((values) => values.every(Number.isFinite));
}

export function randomFamily(random: Choices): Family {
  const make = random.pick([stack, axes, randomModel]);
  const spec = make(random);
  let graph = resolveGraph(spec);
  const precision = random.pick(['f32', 'f32', 'f32', 'i16', 'i8'] as const);
  if (precision !== 'f32' && isFinite(spec)) graph = resolveGraph(specWith(graph, precision));
  return {
    spec: graph.spec,
    graph,
    streamable: graph.notStreamable === undefined,
    cells: graph.states.every(({ slot }) => slot !== 'past') && graph.derivedAxes.length === 0,
  };
}
