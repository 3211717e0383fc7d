const nested = (/** @type {number} */ n) => '['.repeat(n) + ']'.repeat(n);

/** Effects whose sizes, lists or fields are not what they say. @returns {[name: string, text: string][]} */
export function effects() {
  const dense = { type: 'dense', activation: '', shape: [null, null, 1], weights: [[[1]], [0]] };
  const model = (/** @type {object} */ layer, rest = {}) =>
    JSON.stringify({ in_shape: [null, null, 1], layers: [{ ...dense, ...layer }], ...rest });
  const simple = (/** @type {object} */ data, state = {}) =>
    JSON.stringify({ model_data: { model: 'SimpleRNN', unit_type: 'GRU', ...data }, state_dict: state });
  const texts = {
    'a small one': model({}),
    'a huge size': model({ shape: [null, null, 2 ** 40] }),
    'a huge input': model({}, { in_shape: [null, null, 2 ** 53] }),
    'many axes': model({ shape: Array.from({ length: 50_000 }, () => 1) }),
    'a huge kernel': model({ type: 'conv1d', kernel_size: 2 ** 31, dilation: 2 ** 31, groups: 1 }),
    'a wide dilation': model({ type: 'conv1d', kernel_size: 1, dilation: 2 ** 40, weights: [[[[1]]]] }),
    'many arrays': model({ weights: Array.from({ length: 100_000 }, () => []) }),
    'rows that are not alike': model({ weights: [[[1], []]] }),
    'a number beyond all': model({}).replace('[[1]]', '[[1e999]]'),
    'a prototype': model({}).replace('{', '{"__proto__":{"in_skip":1},'),
    'many layers': JSON.stringify({ in_shape: [null, 1], layers: Array.from({ length: 2000 }, () => dense) }),
    'a gain beyond all': model({}, { in_gain: 1e308 }),
    'nested weights': `{"in_shape":[null,1],"layers":[{"type":"dense","shape":[1],"weights":${nested(50_000)}}]}`,
    nesting: `{"layers":${nested(100_000)}}`,
    'a state dict of many': simple({}, Object.fromEntries(Array.from({ length: 30_000 }, (_, i) => [`rec.${i}`, [i]]))),
    'a state dict of nests': simple({ skip: 2 ** 40 }, { 'rec.weight_hh_l0': [[[[[[[[[[1]]]]]]]]]] }),
    'a state dict without a tensor': simple({}),
  };
  return Object.entries(texts);
}
