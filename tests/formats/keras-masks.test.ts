import { describe, expect, test } from 'vitest';
import type { SpecBuilder } from '../../ts/formats/keras/builder.ts';
import { kerasDialect, tfjsDialect } from '../../ts/formats/keras/dialect.ts';
import { Fields } from '../../ts/formats/keras/fields.ts';
import type { Call, Resolved } from '../../ts/formats/keras/layers/call.ts';
import { MASK_OPERATIONS, maskOfCondition, mergedMask } from '../../ts/formats/keras/layers/mask-ops.ts';
import type { Condition, Features, Mask, Value } from '../../ts/formats/keras/values.ts';

/** The operations that Keras 3 writes masks with: what each is made of, in words. */

const mask = (key: string): Mask => ({ key, ref: () => key });
const features = (ref: string): Features => ({ is: 'features', ref, kind: 'sequence', size: 3 });
const builder = {
  maskOfIds: (input: string) => mask(`ids of ${input}`),
  maskOf: ({ ref }: Features, from: number) => ({ mask: mask(`${ref} is not ${from}`), features: features(ref) }),
  combineMasks: (masks: Mask[], merge: string) => mask(`${merge}(${masks.map(({ key }) => key).join(', ')})`),
  exact: ({ ref }: Features) => `exact ${ref}`,
  wideMask: ({ key }: Mask) => `wide ${key}`,
  name: (name: string) => name,
  add: ({ name }: { name: string }) => name,
  dialect: kerasDialect('3.15.1', true),
} as unknown as SpecBuilder;

function call(
  operation: string,
  args: Resolved[],
  config: Record<string, unknown> = {},
  kwargs: Record<string, unknown> = {},
): Call {
  return {
    layer: { className: operation, name: 'op' },
    name: 'op',
    args,
    kwargs: new Map(Object.entries(kwargs).map(([key, constant]) => [key, { constant }])),
    fields: new Fields(`${operation} 'op'`, config),
    weights: undefined,
    builder,
  } as unknown as Call;
}
const run = (operation: string, ...rest: [Resolved[], Record<string, unknown>?, Record<string, unknown>?]) =>
  MASK_OPERATIONS[operation]!(call(operation, ...rest));

const of = (value: Value): Resolved => ({ value });
const number = (constant: unknown): Resolved => ({ constant });
const ids = of({ is: 'ids', input: 'i', kind: 'sequence' });
const x = of(features('x'));

type Kind = Condition['kind'];
const held = (key: string, kind: Kind = 'steps'): Condition => ({
  is: 'condition',
  kind,
  test: 'mask',
  mask: mask(key),
});
const fixed = (value: boolean, kind: Kind = 'steps'): Condition => ({ is: 'condition', kind, test: 'constant', value });
const differs: Condition = { is: 'condition', kind: 'features', test: 'differs', features: features('x'), from: 2 };
const concat = (...parts: Condition[]): Condition => ({ is: 'condition', kind: 'features', test: 'concat', parts });

/** A condition in words. */
function words(value: Value | undefined): string {
  if (value?.is !== 'condition') return 'no condition';
  const test = (c: Parameters<typeof Object.keys>[0]): string => {
    const t = c as Condition;
    if (t.test === 'constant') return String(t.value);
    if (t.test === 'mask') return t.mask.key;
    if (t.test === 'differs') return `${t.features.ref} differs from ${t.from}`;
    return t.test === 'concat' ? `[${t.parts.map(test).join(', ')}]` : t.numbers().ref;
  };
  return `${value.kind}: ${test(value)}`;
}

const wide = (c: Condition): Resolved => of({ ...c, kind: 'features' });
const TABLE: [string, Resolved[], Record<string, unknown>, string, Record<string, unknown>?][] = [
  ['NotEqual', [ids, number(0)], {}, 'steps: ids of i'],
  ['NotEqual', [x, number(-1)], {}, 'features: x differs from -1'],
  ['Any', [of(differs)], {}, 'steps: exact x is not 2'],
  ['Any', [of(differs)], { axis: 2, keepdims: false }, 'steps: exact x is not 2'],
  ['Any', [wide(held('a'))], {}, 'steps: a'],
  ['All', [wide(held('a'))], {}, 'steps: a'],
  ['Any', [wide(fixed(false))], {}, 'steps: false'],
  ['All', [wide(fixed(true))], {}, 'steps: true'],
  ['Any', [of(concat(held('a'), held('b')))], {}, 'steps: sum(a, b)'],
  ['All', [of(concat(held('a'), held('b')))], {}, 'steps: mul(a, b)'],
  ['Any', [of(concat(held('a'), fixed(true)))], {}, 'steps: true'],
  ['Any', [of(concat(held('a'), fixed(false)))], {}, 'steps: sum(a)'],
  ['All', [of(concat(held('a'), fixed(true)))], {}, 'steps: mul(a)'],
  ['All', [of(concat(held('a'), fixed(false)))], {}, 'steps: false'],
  ['Any', [of(concat(fixed(false), fixed(false)))], {}, 'steps: false'],
  ['All', [of(concat(fixed(true), fixed(true)))], {}, 'steps: true'],
  ['LogicalOr', [of(held('a')), of(held('b'))], {}, 'steps: sum(a, b)'],
  ['LogicalOr', [of(held('a')), of(fixed(false))], {}, 'steps: sum(a)'],
  ['LogicalOr', [of(held('a')), of(fixed(true))], {}, 'steps: true'],
  ['LogicalOr', [of(fixed(true)), of(fixed(false))], {}, 'steps: true'],
  ['LogicalOr', [of(fixed(false)), of(fixed(false))], {}, 'steps: false'],
  ['LogicalOr', [wide(held('a')), of(fixed(false))], {}, 'features: sum(a)'],
  ['LogicalOr', [of(held('a')), wide(held('b'))], {}, 'features: sum(a, b)'],
  ['LogicalOr', [of(fixed(false)), wide(fixed(false))], {}, 'features: false'],
  ['ExpandDims', [of(held('a'))], { axis: -1 }, 'features: a'],
  ['BroadcastTo', [wide(held('a'))], { shape: [null, 3, 4] }, 'features: a'],
  ['ZerosLike', [x], {}, 'features: false'],
  ['OnesLike', [x], {}, 'features: true'],
  ['OnesLike', [x], { dtype: 'bool' }, 'features: true'],
  ['OnesLike', [x], {}, 'features: true', { dtype: 'bool' }],
  ['OnesLike', [of(held('a'))], {}, 'steps: true'],
  ['ZerosLike', [wide(held('a'))], {}, 'features: false'],
  ['ZerosLike', [ids], {}, 'steps: false'],
  ['Concatenate', [[wide(held('a')), of(differs)]], { axis: -1 }, 'features: [a, x differs from 2]'],
];
test.each(TABLE.map((row) => [`${row[0]} is ${row[3]}`, row] as const))(
  '%s',
  (_, [op, args, config, expected, kwargs]) => {
    const result = run(op, args, config, kwargs);
    expect(result).toHaveLength(1);
    expect(words(result[0])).toBe(expected);
  },
);

const REFUSED: [string, Resolved[], Record<string, unknown>, RegExp, Record<string, unknown>?][] = [
  ['NotEqual', [ids, number(1)], {}, /compares ids with 1/],
  ['NotEqual', [x], {}, /takes 2 tensors/],
  ['NotEqual', [x, number('0')], {}, /takes a tensor/],
  ['NotEqual', [x, number(0), number(0)], {}, /more arguments/],
  ['Greater', [ids, number(1)], {}, /compares ids with 1/],
  ['LogicalNot', [x], {}, /truth values/],
  ['LogicalAnd', [of(held('a')), of(differs)], {}, /steps with those of features/],
  ['Where', [x, x, x], {}, /else than truth values/],
  ['Where', [of(held('a')), number(-Infinity), x], {}, /finite, as -1e9/],
  ['Where', [of(held('a')), x, x], {}, /other shapes/],
  ['NotEqual', [of(held('a')), number(0)], {}, /truth values/],
  ['NotEqual', [of({ is: 'ids', input: 'i', kind: 'vector' }), number(0)], {}, /truth values/],
  ['All', [of(differs)], {}, /all features differing/],
  ['Any', [of(differs)], { axis: 1 }, /last axis/],
  ['Any', [of(differs)], { keepdims: true }, /one value a step/],
  ['Any', [of(held('a'))], {}, /reduces the steps/],
  ['Any', [x], {}, /else than masks/],
  ['LogicalOr', [of(held('a'))], {}, /takes 2 tensors/],
  ['LogicalOr', [of(held('a')), x], {}, /else than masks/],
  ['LogicalOr', [of(differs), of(held('a'))], {}, /steps with those of features/],
  ['ExpandDims', [of(held('a'))], { axis: 1 }, /last axis only/],
  ['ExpandDims', [wide(held('a'))], {}, /has features already/],
  ['BroadcastTo', [of(held('a'))], { shape: [1] }, /other axes than the last/],
  ['OnesLike', [x], {}, /makes numbers/, { dtype: 'float32' }],
  ['OnesLike', [x], { dtype: 'float32' }, /truth values/],
  ['Concatenate', [wide(held('a'))], {}, /list of tensors/],
  ['Concatenate', [[of(held('a'))]], {}, /masks of features/],
  ['Concatenate', [[of(concat(held('a')))]], {}, /masks of features/],
  ['Concatenate', [[wide(held('a'))]], { axis: 1 }, /last axis only/],
];
test.each(REFUSED.map((row) => [`${row[0]}: ${row[3].source}`, row] as const))(
  'refused: %s',
  (_, [op, args, config, message, kwargs]) => {
    expect(() => run(op, args, config, kwargs)).toThrow(
      expect.objectContaining({ name: 'GruError', message: expect.stringMatching(message) as string }) as Error,
    );
  },
);

describe('a mask argument', () => {
  const use = (condition: Condition) => maskOfCondition(call('GRU', []), condition);
  test('is the mask, none where all steps count, and refused otherwise', () => {
    expect(use(held('a'))?.key).toBe('a');
    expect(use(fixed(true))).toBeUndefined();
    expect(() => use(fixed(false))).toThrow(/leaves no steps/);
    expect(() => use(held('a', 'features'))).toThrow(/more than one value a step/);
  });
});

describe('what merge layers make of masks', () => {
  const [a, b] = [mask('a'), mask('b')];
  const merged = (dialect: SpecBuilder['dialect'], masks: (Mask | undefined)[], isConcat = false) =>
    mergedMask(Object.assign(Object.create(builder) as SpecBuilder, { dialect }), masks, isConcat, mask)?.key;
  test.each<[string, SpecBuilder['dialect'], string | undefined, string | undefined]>([
    ['Keras 2: and', kerasDialect('2.15.0', false), 'mul(a, b)', 'mul(a)'],
    ['Keras 3.3: none', kerasDialect('3.3.3', true), undefined, undefined],
    ['Keras 3.4: or, and none where one has none', kerasDialect('3.4.0', true), 'sum(a, b)', undefined],
  ])('%s', (_, dialect, both, one) => {
    expect(merged(dialect, [a, b])).toBe(both);
    expect(merged(dialect, [a, undefined])).toBe(one);
    expect(merged(dialect, [undefined, undefined])).toBeUndefined();
  });

  test('refused where the version is not known, and by TensorFlow.js but for concatenations', () => {
    expect(merged(kerasDialect(undefined, true), [a, b])).toMatch(/depends on the version of Keras/);
    expect(merged(tfjsDialect('4.22.0'), [a, b])).toMatch(/wrong shape/);
    expect(merged(tfjsDialect('4.22.0'), [a, b], true)).not.toMatch(/wrong shape/);
    expect(merged(tfjsDialect('4.22.0'), [undefined])).toBeUndefined();
  });
});
