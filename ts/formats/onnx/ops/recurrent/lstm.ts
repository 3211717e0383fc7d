import { CELL, functionFields, HIDDEN, part, readFlag, type RecurrentOperator, sumBiases } from './cell.ts';

/** The node's gates i, o, f, c in the spec's order i, f, g, o. */
const GATES = [0, 2, 3, 1];

/** The node's peepholes i, o, f in the spec's order i, f, o. */
const PEEPHOLES = [0, 2, 1];

/**
 * LSTM (opset 7, 14, 22): i, f = f(...), c' = f c + i g(...), o = f(... + Po c'), h' = o h(c'). clip bounds what f and g are
 * applied to. It leaves c', the input of h, as it is: the specification says "applied to the input of activations", but
 * onnxruntime, which the recorded cases are from, does not bound it.
 */
export const lstm: RecurrentOperator = {
  op: 'LSTM',
  gates: 4,
  peepholes: 3,
  functions: ['Sigmoid', 'Tanh', 'Tanh'],
  states: [HIDDEN, CELL],
  form(context) {
    const inputForget = readFlag(context, 'input_forget');
    const inOrder = (data: Float32Array, order: readonly number[]) => {
      context.graph.budget.spend(4 * data.length);
      const out = new Float32Array(data.length);
      order.forEach((from, to) => {
        part(out, to, order.length).set(part(data, from, order.length));
      });
      return out;
    };
    return {
      convention: `input_forget ${Number(inputForget)}`,
      biases: ['bias'],
      weights: ({ input, recurrent, biases, peepholes }) => ({
        input: inOrder(input, GATES),
        recurrent: inOrder(recurrent, GATES),
        ...(biases && { bias: inOrder(sumBiases(biases), GATES) }),
        ...(peepholes && { peepholes: inOrder(peepholes, PEEPHOLES) }),
      }),
      layer: (base, [recurrentActivation, activation, outputActivation], weights) => ({
        type: 'lstm',
        ...base,
        ...(inputForget && { inputForget }),
        ...functionFields(
          { recurrentActivation: recurrentActivation!, activation: activation!, outputActivation: outputActivation! },
          { recurrentActivation: 'sigmoid', activation: 'tanh', outputActivation: activation! },
        ),
        weights,
      }),
    };
  },
};
