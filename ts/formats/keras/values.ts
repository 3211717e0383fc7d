import type { GruError } from '../../base/errors.ts';
import type { ValueRef } from '../../spec/spec.ts';

/** A tensor of a Keras model, as the translation knows it. */
export type Value = Features | Ids | Condition | Transposed | Scores | Stacked | Nested | Refused;

/** Numbers: (batch, steps, size) or (batch, size). */
export interface Features {
  is: 'features';
  ref: ValueRef;
  kind: 'sequence' | 'vector';
  size: number;
  /** Which steps count, as Keras hands it on beside the tensor. */
  mask?: Mask | undefined;
  /**
   * Where `ref` differs from Keras's tensor at masked steps (the Masking layer writes zeros there): makes layers that give
   * the very tensor. Readers that skip masked steps need not ask for it.
   */
  exact?: () => ValueRef;
}

/** Steps as the last axis: (batch, size, steps), or (batch, steps) of one number a step. */
export interface Transposed {
  is: 'transposed';
  ref: ValueRef;
  size: number;
  flat: boolean;
}

/** What the rows of two values score, as products: (batch, steps of x, steps of y), or (batch, steps of y) where x is a vector. */
export interface Scores {
  is: 'scores';
  x: Features;
  y: Features;
  /** Softmax was taken over the steps of this one: the keys. */
  keys?: 'x' | 'y';
}

/** Several vectors a sequence: (batch, count, size). */
export interface Stacked {
  is: 'stacked';
  ref: ValueRef;
  count: number;
  size: number;
}

/** Steps of each step, as many for all: (batch, outer steps, steps, size). */
export interface Nested {
  is: 'nested';
  ref: ValueRef;
  steps: number;
  size: number;
  /** A value that has the outer steps. */
  outer: ValueRef;
  /** They are ids, as floats: (batch, outer steps, steps). */
  ids?: true;
}

/** An output that cannot be had: a model that does not read it runs. */
export interface Refused {
  is: 'refused';
  error: GruError;
}

/** Ids: (batch, steps) or (batch). */
export interface Ids {
  is: 'ids';
  input: string;
  kind: 'sequence' | 'vector';
  /** They are held as floats. */
  whole?: true;
  /** A layer makes them. */
  made?: true;
}

/** A tensor of truth values: of steps, or of the features of steps. */
export type Condition = {
  is: 'condition';
  kind: 'steps' | 'features';
  /** Of features it has one: (batch, steps, 1). */
  one?: boolean;
} & Test;

export type Test =
  | { test: 'constant'; value: boolean }
  /** A value that is not 0 where the condition holds; the same for all features of a step. */
  | { test: 'mask'; mask: Mask }
  /** Numbers: 1 where the condition holds, 0 elsewhere. Of steps, one for each. */
  | { test: 'holds'; numbers: () => Features }
  /** Features that differ from a number. */
  | { test: 'differs'; features: Features; from: number }
  /** Features side by side. */
  | { test: 'concat'; parts: Test[] };

/** A mask of steps: where it is made, made when it is first used. */
export interface Mask {
  /** Masks with the same key are the same. */
  key: string;
  /** The spec's value. @throws GruError `unsupported` where it cannot be told what the mask is. */
  ref(): ValueRef;
  /** It is known only that there may be one. */
  unknown?: true;
}
