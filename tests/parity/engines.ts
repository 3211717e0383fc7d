import type { Backend } from '../../ts/backends/backend.ts';
import { axisLengths, type Run, type RunResult } from './native.ts';

/** Runs a case on a backend, through the seam. */
export function runOn(backend: Backend, run: Run): RunResult {
  const { graph, lengths, timeMajor, inputs, hidden } = run;
  const model = backend.compile(graph);
  const state = model.createState(lengths.length);
  try {
    state.setLengths(axisLengths(run).map((lengths) => ({ lengths, timeMajor })));
    inputs.forEach((data, i) => {
      (data instanceof Int32Array ? state.inputIds(i) : state.inputFloats(i)).set(data);
    });
    hidden.forEach((data, i) => {
      state.writeHidden(i, data);
    });
    state.run();
    return [
      ...graph.outputs.map((_, i) => state.output(i).slice()),
      ...hidden.map((data, i) => {
        const out = new Float32Array(data.length);
        state.readHidden(i, out);
        return out;
      }),
    ];
  } finally {
    state.free();
    model.free();
  }
}

/** The first element whose bits differ, if any; all NaNs count as the same. */
export function firstDifference(a: RunResult, b: RunResult): string | undefined {
  if (a.length !== b.length) return `${a.length} and ${b.length} results`;
  for (const [i, x] of a.entries()) {
    const y = b[i] as Float32Array;
    if (x.length !== y.length) return `result ${i}: ${x.length} and ${y.length} values`;
    for (let j = 0; j < x.length; j++) {
      if (!Object.is(x[j], y[j])) return `result ${i}, value ${j}: ${x[j]} and ${y[j]}`;
    }
  }
  return undefined;
}
