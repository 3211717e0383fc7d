import { GruError } from '../../../base/errors.ts';
import type { NormSpec, ScaleSpec } from '../../../spec/spec.ts';
import { batchNorm } from '../../batch-norm.ts';
import { shapeOf } from '../names.ts';
import type { TakenTensor } from '../tensors.ts';
import { AMOUNT, BASE, COUNT, MODULE } from './checks.ts';
import type { Form, Pending, Place, PytorchLayerBase } from './form.ts';
import { moduleTensors, type PytorchModule } from './module.ts';

interface PytorchNorm extends PytorchLayerBase {
  /** As the module was made with; a state dict does not say it. Default 1e-5 (`nn.RMSNorm`: 2^-23). */
  eps?: number | undefined;
  /** Features, of a module without tensors. */
  size?: number | undefined;
}

/** `nn.BatchNorm1d`, with its running statistics. */
export interface PytorchBatchnorm extends PytorchLayerBase {
  batchnorm: PytorchModule;
  eps?: number | undefined;
}

/** `nn.LayerNorm` over the features. */
export interface PytorchLayernorm extends PytorchNorm {
  layernorm: PytorchModule;
}

/** `nn.RMSNorm` over the features. */
export interface PytorchRmsnorm extends PytorchNorm {
  rmsnorm: PytorchModule;
}

/** `nn.GroupNorm` of (batch, features, steps) or (batch, features): over the features of a group, and over all steps. */
export interface PytorchGroupnorm extends PytorchNorm {
  groupnorm: PytorchModule;
  groups: number;
}

/** `nn.InstanceNorm1d`: each feature over all steps, or by its running statistics where the module tracks them. */
export interface PytorchInstancenorm extends PytorchNorm {
  instancenorm: PytorchModule;
}

type NormFields = Pick<NormSpec, 'norm' | 'epsilon' | 'groups' | 'overTime'>;

/** Modules of a scale and a shift look alike, and so do those of a row alone. */
const AFFINE_NORM = 'LayerNorm, GroupNorm or InstanceNorm1d';
const ONE_ROW = 'RMSNorm, PReLU or LayerNorm without bias';

const AFFINE = ['weight', 'bias'] as const;
const STATISTICS = ['running_mean', 'running_var', 'num_batches_tracked'] as const;
const NORM = { ...BASE, eps: AMOUNT, size: COUNT };

/** The kinds of norms that take running statistics. */
const BY_STATISTICS = ['batchnorm', 'instancenorm'];

/** The tensors of a module of one row each, all of one size; `size` where it has none. */
function takeRows(kind: string, module: PytorchModule, { name, tensors, takes }: Place, size?: number) {
  const names = moduleTensors(kind, module, tensors, [], [...AFFINE, ...STATISTICS]);
  checkKind(kind, name, module, names);
  if (names.num_batches_tracked !== undefined) tensors.take(names.num_batches_tracked, `${name} (training only)`, []);
  let found = size;
  const take = (key: Exclude<keyof typeof names, 'num_batches_tracked'>, target: 'scale' | 'shift') => {
    const full = names[key];
    if (full === undefined) return undefined;
    const taken = tensors.take(full, `${name}/${target}`, [found ?? -1]);
    found = taken.shape[0];
    return taken;
  };
  const rows = {
    weight: take('weight', 'scale'),
    bias: take('bias', 'shift'),
    mean: take('running_mean', 'shift'),
    variance: take('running_var', 'scale'),
  };
  if (found === undefined) {
    throw new GruError(
      'invalid_argument',
      `${kind} '${name}': the file has no tensors of it: give the number of features, size`,
    );
  }
  takes(found);
  return { ...rows, size: found };
}

/** @throws GruError `unsupported` for tensors that modules of another kind have: left out, they would be lost. */
function checkKind(kind: string, name: string, module: PytorchModule, names: Partial<Record<string, string>>): void {
  const refuse = (tensor: string, others: string, instead: string) =>
    new GruError(
      'unsupported',
      `${kind} '${name}': tensor '${tensor}' is one of ${others}` +
        (typeof module === 'string' ? `: write { ${instead}: '${module}' }` : `: wire it as ${instead}`),
    );
  const statistics = STATISTICS.map((key) => names[key]).find((tensor) => tensor !== undefined);
  if (statistics !== undefined && !BY_STATISTICS.includes(kind)) {
    throw refuse(statistics, 'nn.BatchNorm1d, or of nn.InstanceNorm1d with running statistics', 'batchnorm');
  }
  if (names['bias'] !== undefined && kind === 'rmsnorm') throw refuse(names['bias'], 'nn.LayerNorm', 'layernorm');
  const { running_mean: mean, running_var: variance } = names;
  if ((mean === undefined) !== (variance === undefined)) {
    const [there, missing] = mean === undefined ? [variance, 'running_mean'] : [mean, 'running_var'];
    throw new GruError('unsupported', `${kind} '${name}' has a tensor '${there}', and no ${missing}`);
  }
}

/** weight (x - mean) / sqrt(variance + eps) + bias */
function byStatistics(
  name: string,
  size: number,
  eps: number,
  rows: { weight?: TakenTensor | undefined; bias?: TakenTensor | undefined; mean: TakenTensor; variance: TakenTensor },
): Pending {
  return {
    load: async (): Promise<ScaleSpec> => {
      const [weight, bias] = [await rows.weight?.floats(), await rows.bias?.floats()];
      const [mean, variance] = [await rows.mean.floats(), await rows.variance.floats()];
      const { scale, shift } = batchNorm({ gamma: weight, beta: bias, mean, variance }, eps);
      const weights = { scale: Float32Array.from(scale), shift: Float32Array.from(shift) };
      return { name, type: 'scale', inputSize: size, weights };
    },
  };
}

function normalization(
  kind: string,
  module: PytorchModule,
  place: Place,
  given: number | undefined,
  spec: NormFields,
): Pending {
  return byInput(place.name, takeRows(kind, module, place, given), spec);
}

function byInput(name: string, { weight, bias, size }: ReturnType<typeof takeRows>, spec: NormFields): Pending {
  return {
    load: async (): Promise<NormSpec> => ({
      name,
      type: 'norm',
      inputSize: size,
      ...spec,
      weights: {
        ...(weight ? { scale: (await weight.floats()).slice() } : {}),
        ...(bias ? { shift: (await bias.floats()).slice() } : {}),
      },
    }),
  };
}

export const batchnorm: Form<'batchnorm', PytorchBatchnorm> = {
  value: MODULE,
  fields: { ...BASE, eps: AMOUNT },
  looks: (tensors) => (shapeOf(tensors, 'running_mean') && shapeOf(tensors, 'running_var') ? 'BatchNorm1d' : undefined),
  read({ batchnorm: module, eps = 1e-5 }, place) {
    const { name } = place;
    const { mean, variance, weight, bias, size } = takeRows('batchnorm', module, place);
    if (!mean || !variance) {
      throw new GruError(
        'unsupported',
        `batchnorm '${name}' has no running_mean and running_var: with track_running_stats=False nn.BatchNorm1d takes the statistics of each ` +
          'batch, which is not supported; train it with track_running_stats=True',
      );
    }
    return byStatistics(name, size, eps, { mean, variance, weight, bias });
  },
};

export const layernorm: Form<'layernorm', PytorchLayernorm> = {
  value: MODULE,
  fields: NORM,
  looks(tensors) {
    const [weight, bias] = [shapeOf(tensors, 'weight'), shapeOf(tensors, 'bias')];
    return tensors.size === 2 && weight?.length === 1 && bias?.[0] === weight[0] ? AFFINE_NORM : undefined;
  },
  read: ({ layernorm: module, eps = 1e-5, size }, place) =>
    normalization('layernorm', module, place, size, { norm: 'standard', epsilon: eps }),
};

export const rmsnorm: Form<'rmsnorm', PytorchRmsnorm> = {
  value: MODULE,
  fields: NORM,
  looks(tensors) {
    const weight = shapeOf(tensors, 'weight');
    return tensors.size === 1 && weight?.length === 1 && weight[0] !== 1 ? ONE_ROW : undefined;
  },
  read: ({ rmsnorm: module, eps = 2 ** -23, size }, place) =>
    normalization('rmsnorm', module, place, size, { norm: 'rms', epsilon: eps }),
};

export const groupnorm: Form<'groupnorm', PytorchGroupnorm> = {
  value: MODULE,
  fields: { ...NORM, groups: COUNT },
  read({ groupnorm: module, groups, eps = 1e-5, size }, place) {
    if ((groups as unknown) === undefined) {
      throw new GruError('invalid_argument', `groupnorm '${place.name}': give groups, which a state dict does not say`);
    }
    return normalization('groupnorm', module, place, size, { norm: 'standard', epsilon: eps, groups, overTime: true });
  },
};

export const instancenorm: Form<'instancenorm', PytorchInstancenorm> = {
  value: MODULE,
  fields: NORM,
  read({ instancenorm: module, eps = 1e-5, size: given }, place) {
    const { name } = place;
    const rows = takeRows('instancenorm', module, place, given);
    const { mean, variance, weight, bias, size } = rows;
    if (mean && variance) return byStatistics(name, size, eps, { mean, variance, weight, bias });
    return byInput(name, rows, { norm: 'standard', epsilon: eps, groups: size, overTime: true });
  },
};
