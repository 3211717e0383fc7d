import type { KerasLayer } from '../config.ts';
import { UnknownClass } from '../problems.ts';
import { attention } from './attention.ts';
import { bidirectional } from './bidirectional.ts';
import type { Call, Translate } from './call.ts';
import { CORE } from './core.ts';
import { MASK_OPERATIONS } from './mask-ops.ts';
import { multiHeadAttention } from './multi-head.ts';
import { OPERATIONS, TF_FUNCTIONS, TF_NODES } from './operations.ts';
import { activationOverSteps, dot, flatten, permute, repeatVector, reshape } from './over-steps.ts';
import { OVER_TIME } from './over-time.ts';
import { RECURRENT } from './recurrent.ts';
import { alikeInTfjs } from './tfjs.ts';
import { categoryEncoding } from './picks.ts';
import { timeDistributed } from './time-distributed.ts';
import { TRUTH } from './truth.ts';

/** What translates a layer, by its class. */
export const LAYERS: Record<string, Translate> = alikeInTfjs({
  ...CORE,
  ...OVER_TIME,
  ...RECURRENT,
  Bidirectional: bidirectional,
  Attention: attention,
  AdditiveAttention: attention,
  MultiHeadAttention: multiHeadAttention,
  Activation: activationOverSteps(CORE['Activation']!),
  Softmax: activationOverSteps(CORE['Softmax']!),
  Flatten: flatten(OVER_TIME['Flatten']!),
  Reshape: reshape(OVER_TIME['Reshape']!),
  Permute: permute(OVER_TIME['Permute']!),
  CategoryEncoding: categoryEncoding,
  RepeatVector: repeatVector(OVER_TIME['RepeatVector']!),
  Dot: dot,
  TimeDistributed: timeDistributed((className) => (Object.hasOwn(LAYERS, className) ? LAYERS[className] : undefined)),
});

/** What an unknown class is, and what to do about it. */
const ADVICE: Record<string, string> = {
  Lambda: ': its code is Python; write it as layers, or with x[:, -1], x * 2, x + y in a functional model',
};

/**
 * What translates a layer or operation.
 *
 * @param title Its name, with those of the models that it is in.
 * @throws UnknownClass
 */
export function translatorOf({ className, isOperation, customName, config }: KerasLayer, title: string): Translate {
  if (customName !== undefined) {
    const why = ', a custom object whose code is not in the file';
    throw new UnknownClass(title, customName, why, supportedLayers());
  }
  if (isOperation) return operation(className, title);
  const fn: unknown = config['function'];
  switch (className) {
    case 'TFOpLambda':
    case 'SlicingOpLambda': {
      const found = typeof fn === 'string' && Object.hasOwn(TF_FUNCTIONS, fn) ? TF_FUNCTIONS[fn] : undefined;
      if (!found) throw new UnknownClass(title, className, ` (${String(fn)})`, Object.keys(TF_FUNCTIONS));
      return (call) => {
        call.fields.ignore('function');
        return operation(found, title)(call);
      };
    }
    case 'TensorFlowOpLayer': {
      const node = config['node_def'] as { op?: unknown } | undefined;
      const op = String(node?.op);
      const found = Object.hasOwn(TF_NODES, op) ? TF_NODES[op] : undefined;
      if (!found) throw new UnknownClass(title, className, ` (${op})`, Object.keys(TF_NODES));
      return (call) => OPERATIONS[found]!(withConstants(call));
    }
  }
  if (Object.hasOwn(LAYERS, className)) return LAYERS[className]!;
  throw new UnknownClass(title, className, ADVICE[className] ?? '', supportedLayers());
}

function supportedLayers(): string[] {
  return ['InputLayer', ...Object.keys(LAYERS), 'models of these'];
}

/** An operation of Keras 3: of masks where it is given one, else of numbers. */
function operation(className: string, title: string): Translate {
  const ofMasks = Object.hasOwn(MASK_OPERATIONS, className) ? MASK_OPERATIONS[className] : undefined;
  const ofNumbers = Object.hasOwn(OPERATIONS, className) ? OPERATIONS[className] : undefined;
  if (!ofMasks && !ofNumbers)
    throw new UnknownClass(title, className, ', an operation', Object.keys({ ...OPERATIONS, ...TRUTH }));
  return (call) => (ofMasks && (!ofNumbers || hasCondition(call)) ? ofMasks(call) : ofNumbers!(call));
}

function hasCondition({ args }: Call): boolean {
  return args.flat(2).some((a) => !Array.isArray(a) && 'value' in a && a.value.is === 'condition');
}

/** A node of TensorFlow 2.0 to 2.3: its constants lie in the config, by their place among the arguments. */
function withConstants(call: Call): Call {
  const { fields } = call;
  const node = fields.take('node_def') as { attr?: Record<string, unknown> };
  const constants = (fields.take('constants') ?? {}) as Record<string, unknown>;
  const args = call.args.flat();
  for (const [place, constant] of Object.entries(constants)) args.splice(Number(place), 0, { constant });
  // Whole numbers are strings there, { i: '5' }. Of what lies in `attr`, masks of StridedSlice alone are settings.
  const masks = Object.entries(node.attr ?? {}).filter(([name]) => name.endsWith('_mask'));
  const set = masks.map(
    ([name, value]) => [name, { constant: Number((value as { i?: unknown } | null)?.i ?? 0) }] as const,
  );
  return { ...call, args, kwargs: new Map([...call.kwargs, ...set]) };
}
