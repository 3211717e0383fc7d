import type { PytorchLayer } from '../../ts/formats/pytorch/forms/index.ts';
import { moduleKind } from '../../ts/formats/pytorch/modules.ts';
import { listModules } from '../../ts/formats/pytorch/names.ts';
import type { PytorchOptions } from '../../ts/formats/pytorch/options.ts';
import type { StateDict } from '../../ts/formats/pytorch/source.ts';

/**
 * The wiring of a recorded case from what its meta.json calls it (`Embedding(20,6) -> GRU(6,8) -> Linear(16,5)`) and the
 * modules of its state dict; nothing for a GRU on its own.
 */
export function wiringOfCase(className: string, dict: StateDict, outputs: string[]): PytorchOptions {
  if (!className.includes('->')) return {};
  const modules = [...listModules(dict).values()];
  const used = new Set<string>();
  const take = (...kinds: string[]) => {
    const found = modules.find((m) => !used.has(m.name) && kinds.includes(moduleKind(m)));
    if (!found) throw new Error(`no ${kinds.join(' or ')} in ${modules.map((m) => m.name).join(', ')}`);
    used.add(found.name);
    return found.name;
  };
  const names: Record<string, string> = {};
  const layers = className.split('->').map((part): PytorchLayer => {
    const kind = /^\s*(\w+)/.exec(part)?.[1];
    switch (kind) {
      case 'Embedding':
        return { embedding: take('Embedding or Linear without bias') };
      case 'GRU':
        return { gru: (names['y'] = take('GRU', 'GRUCell')) };
      case 'Linear':
        return { linear: (names['logits'] = take('Linear', 'Embedding or Linear without bias')) };
      case 'ReLU':
      case 'Tanh':
      case 'Sigmoid':
      case 'Softmax':
        return { activation: kind.toLowerCase() as 'relu' };
      default:
        throw new Error(`no wiring is known for ${part}`);
    }
  });
  return { layers, outputs: outputs.map((name) => names[name]).filter((name) => name !== undefined) };
}
