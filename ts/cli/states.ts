import type { Tensor } from '../base/tensor.ts';
import type { LayerState, LstmStateInput, StateRecord } from '../run/states.ts';
import { tensorFormatOf } from './files/format.ts';
import { readTensors } from './files/tensors.ts';

/** States of a file: tensors named by layer, those of an lstm `layer.hidden` and `layer.cell`. */
export async function readStates(path: string): Promise<StateRecord> {
  const states = new Map<string, StateRecord[string]>();
  for (const [name, tensor] of await readTensors(path, tensorFormatOf(path, '--states'))) {
    const [, layer, slot] = /^(.+)\.(hidden|cell)$/.exec(name) ?? [];
    if (layer === undefined) states.set(name, tensor);
    else states.set(layer, { ...(states.get(layer) as LstmStateInput | undefined), [slot!]: tensor });
  }
  return Object.fromEntries(states);
}

/** The same, to be written. */
export function stateTensors(states: Record<string, LayerState>): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(states).flatMap(([layer, state]): [string, Tensor][] =>
      'cell' in state
        ? [
            [`${layer}.hidden`, state.hidden],
            [`${layer}.cell`, state.cell],
          ]
        : [[layer, state]],
    ),
  );
}
