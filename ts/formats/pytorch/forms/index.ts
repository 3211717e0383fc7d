import { activation } from './activation.ts';
import { attention, multiheadAttention } from './attention.ts';
import type { Check } from './checks.ts';
import { conv1d } from './conv1d.ts';
import { convtranspose1d } from './convtranspose1d.ts';
import { embedding } from './embedding.ts';
import type { Form, Pending, Place } from './form.ts';
import type { Shapes } from '../names.ts';
import { linear } from './linear.ts';
import { matmul } from './matmul.ts';
import { batchnorm, groupnorm, instancenorm, layernorm, rmsnorm } from './norm.ts';
import { concat, div, mul, pow, sub } from './merge.ts';
import { positions } from './positions.ts';
import { prelu } from './prelu.ts';
import { argmax, l2, max, mean, min, std, sum } from './reduce.ts';
import { maxpool1d, avgpool1d, flatten, repeat, upsample, pad } from './over-time.ts';
import { gru, lstm, rnn } from './recurrent.ts';
import { sine } from './sine.ts';
import { flip, slice, step } from './step.ts';

/** The forms of a line of the wiring, by the field that names them. */
const FORMS = {
  embedding,
  gru,
  lstm,
  rnn,
  linear,
  matmul,
  activation,
  prelu,
  conv1d,
  convtranspose1d,
  sine,
  step,
  slice,
  flip,
  concat,
  sum,
  sub,
  mul,
  div,
  pow,
  batchnorm,
  layernorm,
  rmsnorm,
  groupnorm,
  instancenorm,
  attention,
  multiheadAttention,
  mean,
  max,
  min,
  std,
  l2,
  argmax,
  maxpool1d,
  avgpool1d,
  flatten,
  repeat,
  upsample,
  pad,
  positions,
};

export type PytorchKind = keyof typeof FORMS;

/** A line of a module's `forward`. */
export type PytorchLayer = {
  [K in PytorchKind]: (typeof FORMS)[K] extends Form<K, infer L> ? L : never;
}[PytorchKind];

/** Any form; its `read` takes a line of its own only. */
export interface AnyForm {
  value: Check;
  fields: Readonly<Record<string, Check>>;
  looks?: (tensors: Shapes) => string | undefined;
  read: (line: PytorchLayer, place: Place) => Pending | Pending[];
}

export const KINDS = Object.keys(FORMS) as PytorchKind[];

export function formOf(kind: PytorchKind): AnyForm {
  return FORMS[kind] as AnyForm;
}

/** The kind of a line. Where it has the fields of two, such as `linear` and `activation`, one is a field of the other. */
export function kindOf(line: object): PytorchKind | undefined {
  const kinds = KINDS.filter((kind) => Object.hasOwn(line, kind));
  return kinds.find((kind) => kinds.some((other) => Object.hasOwn(FORMS[kind].fields, other))) ?? kinds[0];
}
