import { mutate } from './mutate.mjs';
import { hash, random } from './random.mjs';
import { seedsOf } from './seeds.mjs';

/** @typedef {import('./seeds.mjs').Api} Api */
/** @typedef {import('./seeds.mjs').Input} Input */
/** @typedef {import('./seeds.mjs').Seed} Seed */
/**
 * @typedef {object} Outcome
 * @property {string} code `accepted`, or the code of the GruError
 * @property {number} ms
 * @property {number} memory bytes of array buffers that were made
 * @property {number} size bytes of the file and those beside it
 * @property {string} [failure] what must not happen
 */

export const MOST_MS = 1000;
const mostMemory = (/** @type {number} */ size) => 4 * size + 64 * 2 ** 20;
/** Inputs that are made from hostile seeds, once these have run as they are. */
const HOSTILE_SHARE = 0.1;

/** How input number `i` of a format is made: by the seed and the number alone. */
export async function inputsOf(/** @type {string} */ format, /** @type {Api} */ api, /** @type {number} */ seed) {
  const { files, hostile } = await seedsOf(format, api);
  const small = hostile.filter(({ large }) => !large);
  const whole = [...hostile, ...files];
  return {
    /** The first inputs are the seeds themselves. */
    whole: whole.length,
    /** @returns {Input} */
    input(/** @type {number} */ i) {
      if (i < whole.length) return whole[i].build(whole[i].parts);
      const rng = random(hash(`${seed} ${format} ${i}`));
      const isHostile = small.length > 0 && rng.next() < HOSTILE_SHARE;
      const { parts, build } = rng.pick(isHostile ? small : files);
      const other = rng.pick(files).parts;
      const names = Object.keys(parts);
      const changed = { ...parts };
      do {
        const name = rng.pick(names);
        const from = other[name] ?? Object.values(other)[0];
        if (changed[name].length > 0) changed[name] = mutate(changed[name], rng, from);
      } while (rng.next() < 0.15);
      return build(changed);
    },
  };
}

/** Bytes of the file and of all that the options give. */
function sizeOf(/** @type {unknown} */ value) {
  if (ArrayBuffer.isView(value)) return value.byteLength;
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 0;
  return Object.values(value).reduce((/** @type {number} */ sum, part) => sum + sizeOf(part), 0);
}

/** @returns {Promise<Outcome>} */
async function once(
  /** @type {Api} */ { inspect, GruError },
  /** @type {Input} */ { bytes, options },
  /** @type {() => number} */ takeMemory,
  again = false,
) {
  let code = 'accepted';
  /** @type {string | undefined} */
  let failure;
  takeMemory();
  const cpu = again ? process.cpuUsage() : undefined;
  const start = performance.now();
  try {
    await inspect(bytes, options);
  } catch (error) {
    if (error instanceof GruError && error.code !== 'internal') code = error.code;
    else failure = `threw ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
  }
  let ms = performance.now() - start;
  if (cpu) {
    // On a busy machine the processor's time is the shorter one; garbage collection on other threads is in it too.
    const { user, system } = process.cpuUsage(cpu);
    ms = Math.min(ms, (user + system) / 1000);
  }
  const memory = takeMemory();
  const size = sizeOf(bytes) + sizeOf(options);
  if (memory > mostMemory(size)) failure ??= `made ${memory} bytes of arrays for a file of ${size}`;
  return { code, ms, memory, size, ...(failure !== undefined && { failure }) };
}

/**
 * Inspects an input. One that takes too long is tried twice more, and its fastest time counts: the machine may be busy.
 *
 * @returns {Promise<Outcome>}
 */
export async function tryInput(
  /** @type {Api} */ api,
  /** @type {Input} */ input,
  /** @type {() => number} */ takeMemory,
  mostMs = MOST_MS,
) {
  let outcome = await once(api, input, takeMemory);
  for (let more = 0; more < 2 && outcome.ms > mostMs; more++) {
    const next = await once(api, input, takeMemory, true);
    if (next.ms < outcome.ms) outcome = next;
  }
  if (outcome.ms > mostMs) outcome.failure ??= `took ${outcome.ms.toFixed(0)} ms`;
  return outcome;
}
