import { GruError } from '../../../base/errors.ts';
import { shapeText } from '../../../base/tensor.ts';
import type { LayerSpec } from '../../../spec/spec.ts';
import { stepCounter } from '../../step-counter.ts';
import { BASE, STRING } from './checks.ts';
import type { Form, PytorchLayerBase } from './form.ts';

/** `x + self.pos(torch.arange(x.size(1)))` of an `nn.Embedding`, `x + self.pe[:, :x.size(1)]` of a tensor: a row for each step is added. */
export interface PytorchPositions extends PytorchLayerBase {
  positions: string;
}

export const positions: Form<'positions', PytorchPositions> = {
  value: STRING,
  fields: BASE,
  read(line, { name, source, tensors, takes, add }) {
    const given = tensors.local(line.positions);
    const tensor = tensors.has(given) ? given : `${given}.weight`;
    const shape = tensors.shape(tensor);
    const rows = shape?.filter((n, i) => n !== 1 || i === shape.length - 1);
    if (shape && rows?.length !== 2) {
      throw new GruError(
        'unsupported',
        `positions '${name}': tensor '${tensor}' has shape ${shapeText(shape)}; it takes [steps, features]`,
      );
    }
    const taken = tensors.take(tensor, `${name}/embeddings`, shape ?? [-1, -1]);
    const [steps, size] = rows as [number, number];
    takes(size);
    const chain = (what: string, inputs: string[], load: () => object) =>
      add({ name: `${name}_${what}`, inputs, load: load as () => LayerSpec });
    const count = chain('count', [source], () => stepCounter(size));
    const ids = chain('ids', [count], () => ({ type: 'ids' }));
    const table = chain('table', [ids], async () => {
      const embeddings = new Float32Array((steps + 1) * size);
      embeddings.set(await taken.floats(), size);
      return { type: 'embedding', vocabularySize: steps + 1, outputSize: size, weights: { embeddings } };
    });
    const inputs = [source, table];
    return { inputs, load: () => ({ name, type: 'merge', merge: 'sum', inputs }) };
  },
};
