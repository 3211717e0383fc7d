import { GruError } from '../../base/errors.ts';
import { describe } from '../../base/tensor.ts';
import { layerKind } from '../../layers/index.ts';
import { directions, STATE_PORTS } from '../../layers/recurrent.ts';
import { extrasOf } from '../../spec/refs.ts';
import type { LayerSpec, ModelSpec, OutputSpec, ValueRef } from '../../spec/spec.ts';
import type { ImportedModel } from '../report.ts';
import type { BoundTensor } from './binding.ts';
import { cellsOfSteps, likelyStates } from './cells-of-steps.ts';
import type { Budget } from './limits.ts';
import { isRecurrent, type RecurrentSpec } from './builder.ts';

/** A state of one direction of a layer, and the port that gives what has become of it. */
interface Place {
  layer: RecurrentSpec;
  slot: 'hidden' | 'cell';
  port: ValueRef;
}

/**
 * Initial states that are inputs of a graph, made states that the model keeps: zeros at first, carried on by streams. `states` says by
 * which output each goes on.
 *
 * @throws GruError `invalid_argument` for names that are none, `unsupported` for inputs that are more than initial states, or whose outputs
 *   are not what has become of them.
 */
export function keepStates(imported: ImportedModel, states: Record<string, unknown>): ImportedModel {
  const { spec, report } = imported;
  const graph = report.graph!;
  const [readers, finalsIn] = [readersOf(spec), finalsOf(spec)];
  const kept = new Map<string, Place[]>();
  const taken = new Set<ValueRef>();
  for (const [input, output] of Object.entries(states)) {
    const bound = named('input', graph.inputs, input);
    const places = placesOf(readers, bound);
    const given = named('output', graph.outputs, output);
    const finals = finalsIn(given);
    const goesOn = places?.length === finals.length && places.every((place, i) => portIn(place, given) === finals[i]);
    if (!places || !goesOn)
      throw new GruError(
        'unsupported',
        `states['${input}']: supported: an input that is nothing but the initial state of recurrent layers, by the output that is their final state; ` +
          (places ? `'${String(output)}' is not` : `'${input}' is more, or something else`) +
          `. The graph runs without the option: give '${input}' at each call what the call before gave`,
      );
    kept.set(input, places);
    for (const ref of bound.values) taken.add(ref);
  }
  const layers = spec.layers.map((layer): LayerSpec => {
    if (!isRecurrent(layer) || !layer.initialState?.some((ref) => taken.has(ref))) return layer;
    const { initialState, ...rest } = layer;
    const other = initialState.find((ref) => !taken.has(ref));
    if (other === undefined) return rest;
    throw new GruError(
      'unsupported',
      `states: layer '${layer.name}' starts from '${other}' too; supported: all of its states, or none`,
    );
  });
  const asState = (bound: BoundTensor): BoundTensor => {
    const places = kept.get(bound.name);
    if (!places) return bound;
    const [{ layer, slot }] = places as [Place];
    const values = [...new Set(places.map((place) => place.layer.name))];
    return { ...bound, use: 'states', values, ...(layer.type === 'lstm' && { slot }) };
  };
  const conventions = [...kept.keys()].map(
    (input) => `input '${input}' is a state that the model keeps, and goes on as output '${String(states[input])}'`,
  );
  return {
    ...imported,
    spec: { ...spec, layers, inputs: spec.inputs.filter(({ name }) => !taken.has(name)) },
    report: {
      ...report,
      conventions: [...report.conventions, ...conventions],
      graph: { ...graph, inputs: graph.inputs.map(asState) },
    },
  };
}

/** The same model, whose report says which of the graph's inputs could be kept. */
export function suggestStates(imported: ImportedModel, budget: Budget): ImportedModel {
  const { spec, report } = imported;
  const { inputs, outputs } = report.graph!;
  const [readers, finalsIn] = [readersOf(spec), finalsOf(spec)];
  const byFinals = new Map(outputs.map((output) => [finalsIn(output).join(), output.name]));
  const pairs = inputs.flatMap((input) => {
    const places = placesOf(readers, input);
    const output = places && byFinals.get(places.map(({ port }) => port).join());
    return output === undefined ? [] : [pairText(input.name, output)];
  });
  const ofSteps =
    pairs.length > 0 ? undefined : likelyStates(imported).find((states) => isKept(imported, states, budget));
  for (const [input, output] of Object.entries(ofSteps ?? {})) pairs.push(pairText(input, output));
  if (pairs.length === 0) return imported;
  const hint = `initial states are inputs of each run; states that the model keeps, as streams need them, by { onnx: { states: { ${pairs.join(', ')} } } }${ofSteps ? ', each call then takes any number of steps' : ''}`;
  return { ...imported, report: { ...report, conventions: [...report.conventions, hint] } };
}

function isKept(imported: ImportedModel, states: Record<string, string>, budget: Budget): boolean {
  try {
    const made = cellsOfSteps(imported, states, budget);
    if (made === imported) return false;
    keepStates(made, states);
    return true;
  } catch (cause) {
    if (cause instanceof GruError) return false;
    throw cause;
  }
}

const pairText = (input: string, output: string) => `${JSON.stringify(input)}: ${JSON.stringify(output)}`;

function named(what: string, all: readonly BoundTensor[], name: unknown): BoundTensor {
  const found = all.find((bound) => bound.name === name);
  if (found) return found;
  const wanted = typeof name === 'string' ? `'${name}'` : describe(name);
  const names = all.map((bound) => `'${bound.name}'`).join(', ');
  throw new GruError('invalid_argument', `states: there is no ${what} ${wanted}; the graph has ${names}`);
}

/** What reads each value: a layer for each time that it does, undefined for an output. */
type Readers = ReadonlyMap<ValueRef, (LayerSpec | undefined)[]>;

function readersOf({ layers, outputs = [] }: ModelSpec): Readers {
  const readers = new Map<ValueRef, (LayerSpec | undefined)[]>();
  const add = (ref: ValueRef, layer?: LayerSpec) => {
    const known = readers.get(ref);
    if (known) known.push(layer);
    else readers.set(ref, [layer]);
  };
  for (const layer of layers) for (const ref of [...(layer.inputs ?? []), ...extrasOf(layer)]) add(ref, layer);
  for (const output of outputs as OutputSpec[]) add(output.from);
  return readers;
}

/** What the rows of an input are states of, in the order of layers and their directions; undefined where they are something else. */
function placesOf(readers: Readers, { values, kind }: BoundTensor): Place[] | undefined {
  const places = values.flatMap((ref) => placeOf(readers, ref));
  const [first] = places;
  if (!first || kind !== 'vector' || places.length !== values.length) return undefined;
  const all = [...new Set(places.map(({ layer }) => layer))].flatMap((layer) =>
    statesOf(layer).filter(({ slot }) => slot === first.slot),
  );
  return all.length === places.length && all.every(({ port }, i) => port === places[i]!.port) ? places : undefined;
}

/** The state that starts from this value, if nothing else reads it. (A layer's states are in the order of its `initialState`.) */
function placeOf(readers: Readers, ref: ValueRef): Place[] {
  const [layer, ...others] = readers.get(ref) ?? [];
  if (!layer || others.length > 0 || !isRecurrent(layer)) return [];
  const place = statesOf(layer)[layer.initialState?.indexOf(ref) ?? -1];
  return place ? [place] : [];
}

function statesOf(layer: RecurrentSpec): Place[] {
  return layerKind(layer.type)!.slots!(layer, []).flatMap(({ slot, direction }) =>
    slot === 'past' ? [] : [{ layer, slot, port: `${layer.name}:${direction}${STATE_PORTS[slot]}` }],
  );
}

/** What gives the state in an output: of a graph that is one step the hidden state of each step, which the layer itself gives. */
function portIn({ layer, slot, port }: Place, { kind, axes }: BoundTensor): ValueRef {
  const isStep = kind === 'sequence' && !axes.flat().includes('time');
  return isStep && slot === 'hidden' && directions(layer).join() === 'forward' ? layer.name : port;
}

/** What the rows of an output are, by its name. */
function finalsOf({ outputs = [] }: ModelSpec): (output: BoundTensor) => (ValueRef | undefined)[] {
  const from = new Map((outputs as OutputSpec[]).map((output) => [output.name, output.from]));
  return ({ values }) => values.map((name) => from.get(name));
}
