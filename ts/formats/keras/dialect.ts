/** Who wrote a model, for that decides what its config means. */
export type Framework = 'keras3' | 'keras2' | 'tfjs';

/** What differs between frameworks and versions. */
export interface Dialect {
  framework: Framework;
  /** As the file says: `3.15.1`. */
  version: string;
  /** How to call it in messages: `Keras 3.15.1`. */
  label: string;
  /** `hard_sigmoid` is clip(alpha x + 0.5, 0, 1). */
  hardSigmoidSlope: number;
  /** Bidirectional gives zeros at masked steps of a sequence; otherwise it repeats the output of the step before. */
  bidirectionalZeros: boolean;
  /** A masked step repeats the state, not the output of the step before: they differ before the first step that counts. */
  repeatsState: boolean;
  /** Recurrent layers that are given initial states are not handed the mask that comes with their input. */
  statesDropMask: boolean;
  /** What layers that merge tensors make of their masks; undefined: the version that would tell is not in the file. */
  mergeMasks: MergeMasks | undefined;
}

/**
 * `and`: steps that count in all inputs that have a mask (Keras 2). `lost`: none is handed on (Keras 3.0 to 3.3). `or`: steps
 * that count in any input, where all have a mask; and Multiply takes masked entries as 1, and gives 0 where no input counts
 * (since Keras 3.4).
 */
export type MergeMasks = 'and' | 'lost' | 'or';

/** The dialect of `keras_version` as a file says it; without one, by the form of the config. */
export function kerasDialect(
  version: string | undefined,
  looksLikeKeras3: boolean,
  looksLikeMasks?: MergeMasks,
): Dialect {
  const known = version ?? (looksLikeKeras3 ? '3' : '2');
  const [major = 0, minor = 0] = known.split(/[.-]/).map(Number);
  if (major >= 3) {
    return {
      framework: 'keras3',
      version: known,
      label: `Keras ${known}`,
      hardSigmoidSlope: 1 / 6,
      bidirectionalZeros: true,
      repeatsState: false,
      statesDropMask: true,
      mergeMasks: version === undefined ? looksLikeMasks : major === 3 && minor < 4 ? 'lost' : 'or',
    };
  }
  // tf.keras (2.2.4-tf, 2.3.0-tf, all from 2.4 on) has zero_output_for_mask; the package of before has not.
  const tensorflow = version === undefined || known.endsWith('-tf') || major > 2 || (major === 2 && minor >= 4);
  return {
    framework: 'keras2',
    version: known,
    label: `Keras ${known}`,
    hardSigmoidSlope: 0.2,
    bidirectionalZeros: tensorflow,
    repeatsState: !tensorflow,
    statesDropMask: false,
    mergeMasks: 'and',
  };
}

/** Whether Keras of at least this version wrote the model; undefined where the file says no version. */
export function isSince({ framework, version }: Dialect, major: number, minor: number): boolean | undefined {
  const [first = 0, second] = version.split(/[.-]/).map(Number);
  if (framework === 'tfjs' || first !== major) return framework !== 'tfjs' && first > major;
  return second === undefined ? undefined : second >= minor;
}

/** TensorFlow.js. */
export function tfjsDialect(version: string | undefined): Dialect {
  return {
    framework: 'tfjs',
    version: version ?? '',
    label: `TensorFlow.js${version ? ` ${version}` : ''}`,
    hardSigmoidSlope: 0.2,
    bidirectionalZeros: false,
    repeatsState: true,
    statesDropMask: false,
    mergeMasks: 'and',
  };
}
