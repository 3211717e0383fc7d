/** What the built package makes of random models, beside what the framework made: README.md. `node compare.mjs [--deep] FOLDER...` */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect, loadModel } from '../../dist/index.js';
import { runOnnx } from '../../dist/formats/onnx.js';
import { faultsWithin } from './deep.mjs';

const TOLERANCE = 1e-4;
const tensorOf = ({ dtype, shape, data }) => ({
  shape,
  data: (dtype === 'int32' ? Int32Array : Float32Array).from(data),
});
const tensorsOf = (record) => Object.fromEntries(Object.entries(record).map(([name, x]) => [name, tensorOf(x)]));

/** The options of a model: what it was written with or, where that is asked for, what `inspect` suggests. */
async function optionsOf(path, { load, suggested }) {
  if (!suggested) return load;
  const { conventions } = await inspect(path);
  const line = conventions.find((text) => text.includes('{ pytorch:'));
  const [text] = line?.match(/\{ pytorch:.*\] \} \}/) ?? [];
  // JavaScript, as people paste it.
  return text && new Function(`return ${text}`)();
}

/** The results, in the framework's order. */
function resultsOf(model, { inputs, outputs }) {
  if (model.report.format !== 'onnx') {
    // TensorFlow.js numbers the names of its inputs, a suggestion calls its one `input`: by their order.
    const given = Object.values(inputs);
    const named = ({ name }, i) => [name, tensorOf(inputs[name] ?? given[i])];
    const result = model.run(Object.fromEntries(model.inputs.map(named)));
    return outputs.map(({ name }, i) => result.outputs[name] ?? result.outputs[model.outputs[i]?.name]);
  }
  const results = runOnnx(model, tensorsOf(inputs));
  return outputs.map(({ name }) => results[name]);
}

/** The entry's place along each axis. */
const placeOf = (entry, shape) =>
  shape.map((size, axis) => Math.floor(entry / shape.slice(axis + 1).reduce((n, d) => n * d, 1)) % size);

/** What is wrong with a result; undefined: nothing. Past the lengths of an ONNX run zeros are right (docs/formats/onnx.md). */
function fault(got, { value: { shape, data }, time = -1, batch }, lengths, tolerance) {
  if (got === undefined) return 'is not there';
  if (got.data.length !== data.length) return `has shape ${got.shape}, not ${shape}`;
  const isPast = (entry) => {
    if (!lengths || time < 0 || got.data[entry] !== 0) return false;
    const place = placeOf(entry, shape);
    return place[time] >= lengths[place[batch]];
  };
  const off = data.map((x, i) => (isPast(i) ? 0 : Math.abs(got.data[i] - x) / (1 + Math.abs(x))));
  const most = off.reduce((a, b) => (Number.isNaN(b) ? Infinity : Math.max(a, b)), 0);
  return most > tolerance ? `is off by ${most.toPrecision(2)}` : undefined;
}

/** The faults of a model's runs; a refusal is thrown. */
async function check(folder, made, deep) {
  const path = join(folder, made.file);
  const options = await optionsOf(path, made);
  const model = await loadModel(path, options);
  try {
    const faults = made.runs.flatMap((run) => {
      const results = resultsOf(model, run);
      return run.outputs
        .map((output, i) => fault(results[i], output, run.inputs.lengths?.data, made.tolerance ?? TOLERANCE))
        .filter(Boolean);
    });
    return faults.length > 0 || !deep ? faults : await faultsWithin(model, path, options, deep);
  } finally {
    model.dispose();
  }
}

const [folders, isDeep] = [process.argv.slice(2).filter((x) => x !== '--deep'), process.argv.includes('--deep')];
for (const folder of folders) {
  const count = { ok: 0, refused: 0, WRONG: 0, UNTYPED: 0 };
  const deep = isDeep ? {} : undefined;
  const reasons = new Map();
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.json'))) {
    const made = JSON.parse(readFileSync(join(folder, name), 'utf8'));
    const tell = (kind, text) => {
      count[kind]++;
      console.log(`${kind} ${join(folder, made.file)}: ${text} (${made.parts.join(' ')})`);
    };
    try {
      const faults = await check(folder, made, deep);
      if (faults.length > 0) tell('WRONG', faults.join('; '));
      else count.ok++;
    } catch (error) {
      if (error.name !== 'GruError') {
        tell('UNTYPED', error.stack);
        continue;
      }
      count.refused++;
      const reason = error.message
        .split('\n')[0]
        .replaceAll(join(folder, made.file), 'FILE')
        .replaceAll(/'[^']*'/g, "'...'")
        .replaceAll(/\d+/g, 'n')
        .slice(0, 160);
      reasons.set(reason, [...(reasons.get(reason) ?? []), name.replace('.json', '')]);
    }
  }
  console.log(folder, count, ...(deep ? [deep] : []));
  for (const [reason, names] of [...reasons].sort((a, b) => b[1].length - a[1].length)) {
    console.log(`  ${names.length} ${reason} (${names.slice(0, 3).join(', ')})`);
  }
}
