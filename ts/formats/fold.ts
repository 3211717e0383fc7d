import { foldScales } from '../spec/fold.ts';
import type { ImportedModel } from './report.ts';

/** What a reader made, its scale layers taken into the weights of their neighbours where those can say them. */
export function fold(imported: ImportedModel): ImportedModel {
  const { spec, report } = imported;
  if (!spec.layers.some(({ type }) => type === 'scale')) return imported;
  const folded = foldScales(spec);
  const into = (target: string) => folded.into.get(target.split('/')[0]!);
  return {
    spec: folded.spec,
    report: {
      ...report,
      conventions: [
        ...report.conventions,
        ...Array.from(folded.into, ([name, layers]) => `${name}: folded into the weights of ${layers.join(', ')}`),
      ],
      tensors: report.tensors.map((tensor) => {
        const layers = into(tensor.target);
        return layers ? { ...tensor, target: `${layers.join(', ')} (folded)` } : tensor;
      }),
    },
  };
}
