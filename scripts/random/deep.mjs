/** What has to hold within the package for any model: no framework is asked. */
import { loadModel } from '../../dist/index.js';

const [BATCH, STEPS, LENGTHS] = [3, 6, [6, 4, 3]];

/** A linear congruential generator (Numerical Recipes). */
let state = 7;
const random = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;

const isSteps = ({ shape }) => shape[1] === 'steps';
const widthOf = ({ shape }) => shape.slice(isSteps({ shape }) ? 2 : 1).reduce((a, b) => a * b, 1);
const shapeOf = (input, batch, steps) => input.shape.map((d) => (d === 'batch' ? batch : d === 'steps' ? steps : d));

/** Random numbers for an input; here and there a step of zeros, which masks may be of. */
function made(input) {
  const width = widthOf(input);
  const rows = isSteps(input) ? BATCH * STEPS : BATCH;
  const ids = input.dtype === 'int32';
  const last = Math.min(6, (input.vocabularySize ?? 7) - 1);
  const number = () => (ids ? Math.min(last, 1 + Math.floor(random() * 6)) : random() * 2 - 1);
  const data = (ids ? Int32Array : Float32Array).from({ length: rows * width }, number);
  if (isSteps(input) && random() < 0.5) {
    const at = Math.floor(random() * rows);
    data.fill(0, at * width, (at + 1) * width);
  }
  return { data, shape: shapeOf(input, BATCH, STEPS) };
}

/** The entry at which they differ, -1: none. A zero is one of either sign. */
const difference = (a, b) =>
  a.length === b.length ? a.findIndex((x, i) => x !== b[i] && !(Number.isNaN(x) && Number.isNaN(b[i]))) : 0;

function unlike(model, a, b, what) {
  return model.outputs.flatMap(({ name }) => {
    const at = difference(a.outputs[name].data, b.outputs[name].data);
    return at < 0 ? [] : [`${what}: ${name}[${at}] is ${b.outputs[name].data[at]}, not ${a.outputs[name].data[at]}`];
  });
}

/** Each sequence of a batch of several lengths, and alone. */
function ragged(model, inputs) {
  const whole = model.run(inputs, { lengths: LENGTHS });
  return LENGTHS.flatMap((length, b) => {
    const own = model.inputs.map((input) => {
      const size = STEPS * widthOf(input);
      const data = inputs[input.name].data.slice(b * size, b * size + length * widthOf(input));
      return [input.name, { data, shape: shapeOf(input, 1, length) }];
    });
    const alone = model.run(Object.fromEntries(own));
    return model.outputs.flatMap(({ name }) => {
      const each = whole.outputs[name].data.length / LENGTHS.length;
      const { data } = alone.outputs[name];
      const at = difference(data, whole.outputs[name].data.slice(b * each, b * each + data.length));
      return at < 0 ? [] : [`ragged: ${name}[${at}] of sequence ${b} is not as alone`];
    });
  });
}

/** A sequence in blocks of 1 to 3 steps, and whole. What has no steps is, in a stream, one row a step: the last of them. */
function streamed(model, inputs) {
  const stream = model.createStream();
  const cut = (from, to) => (input) => {
    const data = inputs[input.name].data.slice(from * widthOf(input), to * widthOf(input));
    return [input.name, data, { data, shape: shapeOf(input, 1, to - from) }];
  };
  const rows = [];
  for (let at = 0; at < STEPS;) {
    const to = Math.min(STEPS, at + 1 + Math.floor(random() * 3));
    const parts = model.inputs.map(cut(at, to));
    rows.push(...stream.run(parts.length > 1 ? Object.fromEntries(parts.map(([n, x]) => [n, x])) : parts[0][1]));
    at = to;
  }
  const whole = model.run(Object.fromEntries(model.inputs.map(cut(0, STEPS)).map(([name, , x]) => [name, x])));
  const { name } = model.outputs[0];
  const want = whole.outputs[name].data;
  const got = isSteps(model.outputs[0]) ? rows : rows.slice(-want.length);
  const at = difference(want, got);
  return at < 0 ? [] : [`stream: ${name}[${at}] is ${got[at]}, not ${want[at]} (${got.length} of ${want.length})`];
}

/**
 * What is not as it should be: a model and its copy by `save` give the same bits, JavaScript and wasm do, a batch of several lengths gives
 * each sequence's, a stream the run's. `count` counts what was tried, and what was refused.
 */
export async function faultsWithin(model, path, options, count) {
  const tried = (what) => (count[what] = (count[what] ?? 0) + 1);
  const inputs = Object.fromEntries(model.inputs.map((input) => [input.name, made(input)]));
  const attempt = async (what, faultsOf) => {
    try {
      const faults = await faultsOf();
      tried(what);
      return faults;
    } catch (error) {
      if (error.name !== 'GruError') throw error;
      tried(`${what} ${error.code}`);
      return [];
    }
  };
  const beside = (what, load) =>
    attempt(what, async () => {
      const [one, other] = await Promise.all(load());
      const faults = unlike(model, one.run(inputs), other.run(inputs), what);
      for (const each of [one, other]) if (each !== model) each.dispose();
      return faults;
    });
  const oneAxis = model.inputs.every((input) => isSteps(input) && input.axis === model.inputs[0].axis);
  return [
    ...(await beside('saved', () => [model, loadModel(model.save())])),
    ...(await beside('js', () => [
      loadModel(path, { ...options, deterministic: true }),
      loadModel(path, { ...options, backend: 'js' }),
    ])),
    ...(oneAxis ? await attempt('ragged', () => ragged(model, inputs)) : []),
    ...(oneAxis && model.streamable ? await attempt('stream', () => streamed(model, inputs)) : []),
  ];
}
