// A thread that runs a model: the page goes on, and ends it when it is told to stop.
import { createModel, type GruModel } from 'gru-wasm';
import { columns, fromRows, generate } from './data.ts';
import { fromDrawing } from './drawing.ts';
import { explain, type Job, type Message, stepsThatFit } from './runner.ts';

/** A run of this many steps or more is timed by a part of it first, so that the page can say how long it takes. */
const LONG = 2000;
const PART = 1 / 50;

let model: GruModel | undefined;

const tell = (message: Message) => {
  postMessage(message);
};

function run(made: GruModel, { source, drawing, rows }: Job, steps: number): Message & { kind: 'done' } {
  const values = made.inputs.map((input) => {
    if (rows) return [input.name, fromRows(input, rows)] as const;
    const value = source === 'drawn' ? fromDrawing(input, drawing, steps) : generate(input, source, steps);
    return [input.name, value] as const;
  });
  const start = performance.now();
  const { outputs } = made.run(Object.fromEntries(values));
  const milliseconds = performance.now() - start;
  const results = made.outputs.map(({ name, shape: sizes }) => {
    const { shape, data } = outputs[name]!;
    const axis = sizes.includes('steps') ? 'step' : 'feature';
    return { name, shape: shape.join(' x '), axis, lines: columns(made, name, data) };
  });
  return { kind: 'done', results, milliseconds, backend: made.backend, steps };
}

/** The steps of the job; where the model takes others alone, and the visitor has not chosen, those. */
function fitted(made: GruModel, job: Job): Message & { kind: 'done' } {
  let steps = job.steps;
  for (let tries = 0; ; tries++) {
    try {
      return run(made, job, steps);
    } catch (error) {
      const others = job.anySteps && tries < 4 ? stepsThatFit(String(error), steps) : [];
      const works = others.find((other) => {
        try {
          run(made, job, other);
          return true;
        } catch {
          return false;
        }
      });
      if (works === undefined && others[0] === undefined) throw error;
      steps = works ?? others[0]!;
    }
  }
}

onmessage = async ({ data: job }: MessageEvent<Job>) => {
  try {
    if (job.spec) {
      model?.dispose();
      model = await createModel(job.spec);
    }
    const made = model!;
    if (job.steps >= LONG && !job.rows) {
      const start = performance.now();
      try {
        run(made, job, Math.ceil(job.steps * PART));
        tell({ kind: 'expected', milliseconds: (performance.now() - start) / PART });
      } catch {
        // It takes sequences of one length.
      }
    }
    tell(fitted(made, job));
  } catch (error) {
    tell({ kind: 'failed', text: explain(error) });
  }
};
