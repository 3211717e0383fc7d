const nested = (/** @type {number} */ n) => '['.repeat(n) + ']'.repeat(n);

/** Configs of Keras models made to hurt, as JSON. */
export function kerasConfigs() {
  const input = {
    class_name: 'InputLayer',
    name: 'x',
    config: { name: 'x', batch_shape: [null, 3, 4] },
    inbound_nodes: [],
  };
  const layer = (
    /** @type {string} */ class_name,
    /** @type {string} */ name,
    /** @type {string} */ from,
    config = {},
  ) => ({
    class_name,
    name,
    config: { name, trainable: true, ...config },
    inbound_nodes: [[[from, 0, 0, {}]]],
  });
  const model = (/** @type {object[]} */ layers, /** @type {string} */ last) =>
    JSON.stringify({
      class_name: 'Functional',
      config: { layers: [input, ...layers], input_layers: [['x', 0, 0]], output_layers: [[last, 0, 0]] },
    });
  const drop = (/** @type {string} */ name, /** @type {string} */ from) => layer('Dropout', name, from, { rate: 0.1 });
  const chain = (/** @type {number} */ n) =>
    model(
      Array.from({ length: n }, (_, i) => drop(`d${i}`, i === 0 ? 'x' : `d${i - 1}`)),
      `d${n - 1}`,
    );
  const double = (/** @type {number} */ n) =>
    model(
      Array.from({ length: n }, (_, i) => {
        const from = i === 0 ? 'x' : `c${i - 1}`;
        return {
          class_name: 'Concatenate',
          name: `c${i}`,
          config: { name: `c${i}`, axis: -1 },
          inbound_nodes: [
            [
              [from, 0, 0, {}],
              [from, 0, 0, {}],
            ],
          ],
        };
      }),
      `c${n - 1}`,
    );
  const wrapped = (/** @type {number} */ n) =>
    '{"class_name":"Bidirectional","config":{"name":"b","layer":'.repeat(n) + '{}' + '}}'.repeat(n);
  const long = { ...input, config: { name: 'x', batch_shape: [null, 2 ** 40, 2 ** 40] } };
  /** An operation upon very many steps of very many features. */
  const operation = (/** @type {string} */ name, config = {}, /** @type {unknown[]} */ ...args) => ({
    class_name: name,
    name: 'o',
    config: { name: 'o', ...config },
    inbound_nodes: [
      { args: [{ class_name: '__keras_tensor__', config: { keras_history: ['x', 0, 0] } }, ...args], kwargs: {} },
    ],
  });
  const of = (/** @type {object} */ last) => model([last], 'o').replace(JSON.stringify(input), JSON.stringify(long));
  const part = (/** @type {number | null} */ start, /** @type {number | null} */ stop, step = 1) => ({
    class_name: '__slice__',
    config: { start, stop, step },
  });
  const all = part(null, null);
  return {
    'every second of many steps': of(operation('GetItem', {}, [all, part(3, 2 ** 39, 2)])),
    'every second of many features': of(operation('GetItem', {}, [all, all, part(null, null, -2)])),
    'many parts': of(operation('Split', { indices_or_sections: 2 ** 40, axis: -1 })),
    'parts without an end': of(
      operation('Split', { indices_or_sections: Array.from({ length: 5000 }, () => 1), axis: -1 }),
    ),
    'a key of many places': of(
      operation(
        'GetItem',
        {},
        Array.from({ length: 50_000 }, () => all),
      ),
    ),
    'steps of features of steps': of(operation('Transpose', { axes: [0, 2, 1] })),
    nesting: nested(100_000),
    'nested layers': `{"class_name":"Sequential","config":{"layers":${nested(1000)}}}`,
    'nested wrappers': `{"class_name":"Sequential","config":{"name":"s","layers":[${wrapped(500)}]}}`,
    'nested models': '{"class_name":"Sequential","config":{"layers":['.repeat(500) + ']}}'.repeat(500),
    'a circle': model([drop('a', 'b'), drop('b', 'a')], 'b'),
    'a long chain': chain(5000),
    'a short chain': chain(5),
    doubling: double(60),
    'a huge layer': model(
      [layer('GRU', 'g', 'x', { units: 2 ** 40, activation: 'tanh', recurrent_activation: 'sigmoid' })],
      'g',
    ),
    'a huge embedding': model([layer('Embedding', 'e', 'x', { input_dim: 1e12, output_dim: 1e12 })], 'e'),
    'a huge vector': model(
      [{ class_name: 'RepeatVector', name: 'r', config: { name: 'r', n: 1e9 }, inbound_nodes: [[['x', 0, 0, {}]]] }],
      'r',
    ),
  };
}
