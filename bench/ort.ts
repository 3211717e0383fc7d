import type { InferenceSession, Tensor, TypedTensor } from 'onnxruntime-common';
import { isWholeRun, type Engine, type Runner, type Task } from './engine.ts';
import { onnxModel } from './onnx.ts';

/** What onnxruntime-web and onnxruntime-node have in common. */
interface Ort {
  Tensor: new (type: 'float32', data: Float32Array, shape: readonly number[]) => TypedTensor<'float32'>;
  InferenceSession: { create(model: Uint8Array, options: InferenceSession.SessionOptions): Promise<InferenceSession> };
}

/** ONNX Runtime's operators, one thread. */
export function ortEngine(
  load: () => Promise<Ort>,
  options: InferenceSession.SessionOptions,
  rest: Pick<Engine, 'name' | 'hosts' | 'packages' | 'ships'>,
): Engine {
  let ort: Ort;
  const written = new WeakMap<Task, Uint8Array>();
  return {
    ...rest,
    takes: isWholeRun,
    write(task) {
      written.set(task, onnxModel(task));
    },
    async load() {
      ort = await load();
    },
    async prepare(task) {
      const session = await ort.InferenceSession.create(written.get(task) ?? onnxModel(task), options);
      return runner(ort, session, task);
    },
  };
}

function runner({ Tensor }: Ort, session: InferenceSession, { case: c, h0 }: Task): Runner {
  const hidden = (data: Float32Array) => new Tensor('float32', data, [1, c.batch, c.hiddenSize]);
  const free = () => void session.release();
  if (c.kind === 'step') {
    let state: Tensor = hidden(new Float32Array(c.hiddenSize));
    return {
      layout: 'time-major',
      async run(x) {
        const { y, state: next } = await session.run({ x: new Tensor('float32', x, [1, 1, c.inputSize]), h0: state });
        state = next!;
        return y!.data as Float32Array;
      },
      free,
    };
  }
  const layout = c.taps !== undefined ? 'channels-first' : c.heads !== undefined ? 'batch-major' : 'time-major';
  const shape = {
    'channels-first': [c.batch, c.inputSize, c.steps],
    'time-major': [c.steps, c.batch, c.inputSize],
    'batch-major': [c.batch, c.steps, c.inputSize],
  }[layout];
  return {
    layout,
    async run(x) {
      const feeds: Record<string, Tensor> = { x: new Tensor('float32', x, shape) };
      if (h0) feeds['h0'] = hidden(h0);
      return (await session.run(feeds))['y']!.data as Float32Array;
    },
    free,
  };
}
