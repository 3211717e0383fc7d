import { GruError } from '../../base/errors.ts';
import { isRecord } from '../../base/tensor.ts';
import { shown } from './shown.ts';

/** Fields of any layer's config that no result of inference depends on. */
const HARMLESS = new Set([
  'name',
  'trainable',
  'batch_input_shape',
  'batch_size',
  'seed',
  'activity_regularizer',
  // Keras 2.x: whether inputs are cast to the layer's dtype.
  'autocast',
]);

const HARMLESS_SUFFIX = /_(initializer|regularizer|constraint)$/;

/** Policies that keep variables in float32 and compute in less while training on a fast device. */
const MIXED = ['mixed_float16', 'mixed_bfloat16'];

/** The policy of a layer's config that computes in less than float32, with its variables in float32. */
export function mixedPolicy({ dtype }: Record<string, unknown>): string | undefined {
  return MIXED.find((name) => name === policyName(dtype));
}

/** A name, or a policy object. */
function policyName(dtype: unknown): unknown {
  return isRecord(dtype) && isRecord(dtype['config']) ? dtype['config']['name'] : dtype;
}

const POLICIES = ['float32', 'float64', ...MIXED];

/** The config of a layer, read field by field, so that none goes unseen. */
export class Fields {
  /** `GRU layer 'encoder'`. */
  readonly layer: string;
  readonly #config: Record<string, unknown>;
  readonly #seen = new Set<string>();

  constructor(layer: string, config: Record<string, unknown>) {
    this.layer = layer;
    this.#config = config;
  }

  unsupported(message: string): GruError {
    return new GruError('unsupported', `${this.layer}: ${message}`);
  }

  invalid(message: string): GruError {
    return new GruError('invalid_file', `${this.layer}: ${message}`);
  }

  /** A field as it is; undefined when it is missing. */
  take(name: string): unknown {
    this.#seen.add(name);
    return Object.hasOwn(this.#config, name) ? this.#config[name] : undefined;
  }

  /** true or false (older files: 1 or 0); the default when it is missing or null. */
  flag(name: string, fallback?: boolean): boolean {
    const value = this.take(name) ?? fallback;
    if (value === true || value === 1) return true;
    if (value === false || value === 0) return false;
    throw this.invalid(`${name} must be true or false, got ${shown(value)}`);
  }

  /** A whole number from 1. */
  size(name: string): number {
    const value = this.take(name);
    if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value;
    throw this.invalid(`${name} must be a whole number from 1, got ${shown(value)}`);
  }

  /** `count` whole numbers from `least` on, as a list or, all the same, as one number. */
  numbers(name: string, count: number, least: number): number[] {
    const value = this.take(name);
    const list: unknown[] = Array.isArray(value) ? value : Array<unknown>(count).fill(value);
    if (list.length === count && list.every((n) => Number.isSafeInteger(n) && (n as number) >= least)) {
      return list as number[];
    }
    const what = count === 1 ? `a whole number from ${least}` : `${count} whole numbers from ${least}`;
    throw this.invalid(`${name} must be ${what}, got ${shown(value)}`);
  }

  /** One of some words; the first of them when it is missing. */
  choice(name: string, words: readonly string[]): string {
    const value = this.take(name) ?? words[0];
    if (typeof value === 'string' && words.includes(value)) return value;
    throw this.unsupported(`${name} ${shown(value)} is not supported; supported: ${words.join(', ')}`);
  }

  number(name: string, fallback?: number): number {
    const value = this.take(name) ?? fallback;
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    throw this.invalid(`${name} must be a number, got ${shown(value)}`);
  }

  /** One axis, as a number or a list of it; the default when it is missing. */
  axis(name: string, fallback: number): number {
    return oneAxis(this, name, this.take(name) === undefined ? fallback : this.take(name));
  }

  /** Takes fields that no result of inference depends on. */
  ignore(...names: string[]): void {
    for (const name of names) this.#seen.add(name);
  }

  /** Refuses a field unless it has one of these values or is missing. */
  expect(name: string, values: readonly unknown[], why: string): void {
    const value = this.take(name);
    if (value === undefined || values.includes(value)) return;
    throw this.unsupported(`${name} ${shown(value)} is not supported: ${why}`);
  }

  /** Checks dtype (unless it was taken) and the fields of quantization, and refuses any field not taken. */
  finish(): void {
    if (!this.#seen.has('dtype')) this.#checkDtype(this.take('dtype'));
    for (const name of ['quantization_config', 'quantization_mode', 'lora_rank', 'lora_alpha']) {
      this.expect(name, [null], 'save the plain float model');
    }
    for (const name of Object.keys(this.#config)) {
      if (this.#seen.has(name) || HARMLESS.has(name) || HARMLESS_SUFFIX.test(name)) continue;
      throw this.unsupported(`unknown field '${name}'; known: ${[...this.#seen].join(', ')}`);
    }
  }

  /** Layers whose variables are less than float32 give other numbers. */
  #checkDtype(dtype: unknown): void {
    const name = policyName(dtype);
    if (name === undefined || name === null || POLICIES.includes(name as string)) return;
    throw this.unsupported(
      `dtype ${shown(name)} is not supported; supported: ${POLICIES.join(', ')}. Set the dtype policy to float32 and save again`,
    );
  }
}

/** An axis as Keras takes it. @throws GruError `unsupported` for several, or for none: that is all of them. */
export function oneAxis(fields: Fields, name: string, value: unknown): number {
  const [axis, ...more] = Array.isArray(value) ? (value as unknown[]) : [value];
  if (Number.isInteger(axis) && more.length === 0) return axis as number;
  throw fields.unsupported(`${name} ${shown(value)} is not supported; supported: one axis`);
}
