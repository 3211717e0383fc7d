import type { Dimension } from '../base/tensor.ts';
import type { ModelInfo } from '../spec/info.ts';

/** Names of a line. */
const SHOWN = 8;

interface Port {
  name: string;
  dtype?: string;
  shape: readonly Dimension[];
}

/** A model in five lines: `console.log(model)`. */
export function printModel({
  inputs,
  outputs,
  layers,
  states,
  streamable,
  backend,
}: ModelInfo & { backend: string }): string {
  const parameters = layers.reduce((sum, layer) => sum + layer.parameters, 0);
  const port = ({ name, dtype = '', shape }: Port) => `${name} ${dtype}[${shape.join(', ')}]`;
  return [
    `GruModel on ${backend}: ${parameters} parameters${streamable ? ', streams' : ''}`,
    `  inputs:  ${list(inputs, port)}`,
    `  layers:  ${list(layers, ({ name, type, shape }) => `${name === type ? name : `${name} (${type})`} [${shape.join(', ')}]`)}`,
    `  outputs: ${list(outputs, port)}`,
    `  states:  ${list(states, ({ name, slot, shape }) => `${name}.${slot} [${shape.join(', ')}]`)}`,
  ].join('\n');
}

function list<T>(items: readonly T[], text: (item: T) => string): string {
  const shown = items.slice(0, SHOWN).map(text).join(', ');
  return items.length > SHOWN ? `${shown}, and ${items.length - SHOWN} more` : shown || 'none';
}
