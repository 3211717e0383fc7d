import { inspectFile, modelFromArrays, modelFromFile, modelFromSpec } from './api.ts';
import type { FindBackend } from './origin.ts';
import type { LoadOptions, ModelOptions, ReadOptions } from './options.ts';
import type { ReadFiles } from './read.ts';
import { useTracer } from './tracer.ts';
import { coreBinaries, ownBinaries } from '../backends/wasm/binaries.ts';
import { onDemand } from '../base/host.ts';
import type { GruConfig, GruLayout } from '../formats/layouts/gru.ts';
import type { LstmConfig, LstmLayout } from '../formats/layouts/lstm.ts';
import type { RnnConfig, RnnLayout } from '../formats/layouts/rnn.ts';
import { wasmOrJs } from './fallback.ts';
import type { Inspection } from './inspect.ts';
import type { GruModel } from './model.ts';
import type { ModelSource } from '../io/source.ts';
import type * as Layouts from '../formats/layouts/index.ts';
import type { WithNumbers } from '../base/numbers.ts';
import { ownCopy } from '../base/own-copy.ts';
import type { ModelSpec } from '../spec/spec.ts';

// on-demand.ts has these too: as a script more it would take Node 0.3 ms to start this entry.
const anyFile = (): Promise<ReadFiles> => onDemand(() => import('./read-any.ts'));
useTracer(() => onDemand(() => import('./trace.ts')));

// The binaries, the kinds of layers beside the core's and the JS backends are chunks that are loaded when they are needed.
const js = async () => (await onDemand(() => import('../backends/js/index.ts'))).jsBackend;
const coreJs = async () => (await onDemand(() => import('../backends/js/core.ts'))).coreJsBackend;

const find: FindBackend = async (options, flavour) => {
  if (flavour === 'core') return findCore(options, flavour);
  const [backend, kinds] = await Promise.all([
    wasmOrJs(options, ownBinaries, js),
    onDemand(() => import('../layers/full.ts')),
  ]);
  kinds.useAllKinds();
  return backend;
};

/** For what is made of recurrent layers alone: where a program calls nothing else, its bundle lacks all other layers. */
const findCore: FindBackend = (options) => wasmOrJs(options, coreBinaries, coreJs);

/** The layouts are a chunk too. It comes later: the caller's arrays, copied here, may be others by then. */
const later =
  <Config, Weights>(pick: (layouts: typeof Layouts) => (config: Config, weights: Weights) => ModelSpec) =>
  async (...given: [Config, Weights]): Promise<ModelSpec> => {
    const copy = ownCopy(given);
    return pick(await onDemand(() => import('../formats/layouts/index.ts')))(...copy);
  };

/**
 * Reads a model file and makes it ready to run; everything after that is synchronous. The format is detected: gru-wasm's own
 * `.safetensors` (what `model.save()` writes), PyTorch, Keras, ONNX, TensorFlow.js, RTNeural. Its reader is loaded when it is needed.
 *
 * @param source A path (in a browser: a URL relative to the page), URL (`file:`, `http(s):`, `data:`), Response, Blob,
 *   ArrayBuffer or Uint8Array.
 * @throws GruError `io`, `invalid_file`, `invalid_spec`, `unsupported`, `invalid_argument`, `out_of_memory`,
 *   `backend_unavailable`; the reason of `options.signal` when aborted.
 *
 * @example
 * const model = await loadModel('speech.safetensors');
 * const { output, states } = model.run({ data, shape: [batch, steps, 64] });
 */
export async function loadModel(source: ModelSource, options?: LoadOptions): Promise<GruModel> {
  return modelFromFile(find, anyFile, source, options);
}

/**
 * Says what a model file holds: layers, sizes, parameters, the conventions found in the file, and where each tensor goes.
 *
 * @throws GruError as {@link loadModel} does for a file that it could not load.
 *
 * @example
 * console.table((await inspect('speech.onnx')).tensors);
 */
export async function inspect(source: ModelSource, options?: ReadOptions): Promise<Inspection> {
  return inspectFile(anyFile, source, options);
}

/**
 * Makes a model from its description. Weights are any numbers (`number[]`, Float64Array, BigInt64Array, ...);
 * Float32Arrays are not copied: leave them as they are.
 *
 * @throws GruError `invalid_spec` naming the layer, `unsupported`, `invalid_argument`, `out_of_memory`,
 *   `backend_unavailable`.
 *
 * @example
 * const model = await createModel({
 *   inputs: [{ name: 'x', dtype: 'float32', size: 4 }],
 *   layers: [
 *     { name: 'gru', type: 'gru', inputSize: 4, hiddenSize: 8, resetAfter: true, weights: {
 *       'forward.input': new Float32Array(3 * 8 * 4), 'forward.recurrent': new Float32Array(3 * 8 * 8) } },
 *     { name: 'logits', type: 'dense', inputSize: 8, outputSize: 2, weights: { kernel: new Float32Array(2 * 8) } },
 *   ],
 * });
 */
export async function createModel(spec: WithNumbers<ModelSpec>, options?: ModelOptions): Promise<GruModel> {
  return modelFromSpec(find, spec, options);
}

/**
 * Makes a GRU from arrays in the layout of Keras (the default), PyTorch or the textbook. Its input is named `x`, (batch, steps,
 * inputSize); its output `y`, (batch, steps, hiddenSize), twice as wide for two directions that concatenate. The arrays are
 * copied:
 *
 * - Keras: `kernel` (inputSize, 3 hiddenSize), `recurrentKernel` (hiddenSize, 3 hiddenSize), columns z, r, h, and `bias`, (2, 3 hiddenSize)
 *   with `resetAfter`, else (3 hiddenSize);
 * - PyTorch, with `resetAfter`: the state dict of an `nn.GRU`, `weight_ih_l0` (3 hiddenSize, inputSize), `weight_hh_l0` (3 hiddenSize,
 *   hiddenSize), `bias_ih_l0`, `bias_hh_l0` (3 hiddenSize), rows r, z, n, of any number of layers, or of an `nn.GRUCell`;
 * - the textbook, without `resetAfter`: `updateGate`, `resetGate` and `candidateHidden`, a `kernel` (hiddenSize + inputSize, hiddenSize)
 *   with the rows of the hidden state first and a `bias` (hiddenSize) each.
 *
 * @throws GruError `shape_mismatch` or `dtype_mismatch` naming the tensor, `invalid_spec`, `invalid_argument`,
 *   `out_of_memory`, `backend_unavailable`.
 *
 * @example
 * const gru = await createGru({ inputSize: 4, hiddenSize: 8, resetAfter: false }, { kernel, recurrentKernel, bias });
 * const two = await createGru({ inputSize: 4, hiddenSize: 8, resetAfter: true }, { layout: 'pytorch', ...stateDict });
 */
export async function createGru(config: GruConfig, weights: GruLayout, options?: ModelOptions): Promise<GruModel> {
  return modelFromArrays(
    findCore,
    'createGru',
    later((layouts) => layouts.gruSpec),
    config,
    weights,
    options,
  );
}

/**
 * Makes an LSTM from arrays in the layout of Keras (the default), PyTorch or the textbook. Its input is named `x`, (batch, steps,
 * inputSize); its output `y`, (batch, steps, hiddenSize), twice as wide for two directions that concatenate; its final states are
 * `{ hidden, cell }`, (directions, batch, hiddenSize) each. The arrays are copied:
 *
 * - Keras: `kernel` (inputSize, 4 hiddenSize), `recurrentKernel` (hiddenSize, 4 hiddenSize), `bias` (4 hiddenSize), columns i, f, c, o;
 * - PyTorch: the state dict of an `nn.LSTM`, `weight_ih_l0` (4 hiddenSize, inputSize), `weight_hh_l0` (4 hiddenSize, hiddenSize),
 *   `bias_ih_l0`, `bias_hh_l0` (4 hiddenSize), rows i, f, g, o, of any number of layers, or of an `nn.LSTMCell`;
 * - the textbook: `inputGate`, `forgetGate`, `candidateCell` and `outputGate`, a `kernel` (hiddenSize + inputSize, hiddenSize) with the
 *   rows of the hidden state first and a `bias` (hiddenSize) each.
 *
 * @throws GruError `shape_mismatch` or `dtype_mismatch` naming the tensor, `unsupported` for weights of a projection (`weight_hr_l0`),
 *   `invalid_spec`, `invalid_argument`, `out_of_memory`, `backend_unavailable`.
 *
 * @example
 * const lstm = await createLstm({ inputSize: 4, hiddenSize: 8 }, { kernel, recurrentKernel, bias });
 * const { output, states } = lstm.run({ data, shape: [batch, steps, 4] }); // states.lstm is { hidden, cell }
 */
export async function createLstm(config: LstmConfig, weights: LstmLayout, options?: ModelOptions): Promise<GruModel> {
  return modelFromArrays(
    findCore,
    'createLstm',
    later((layouts) => layouts.lstmSpec),
    config,
    weights,
    options,
  );
}

/**
 * Makes a simple RNN (Elman's) from arrays in the layout of Keras (the default) or PyTorch. Input and output are as those of
 * {@link createGru}. The arrays are copied:
 *
 * - Keras: `kernel` (inputSize, hiddenSize), `recurrentKernel` (hiddenSize, hiddenSize), `bias` (hiddenSize);
 * - PyTorch: the state dict of an `nn.RNN`, `weight_ih_l0` (hiddenSize, inputSize), `weight_hh_l0` (hiddenSize, hiddenSize),
 *   `bias_ih_l0`, `bias_hh_l0` (hiddenSize), of any number of layers, or of an `nn.RNNCell`; `activation: 'relu'` is its
 *   `nonlinearity='relu'`.
 *
 * @throws GruError as {@link createGru}.
 *
 * @example
 * const rnn = await createRnn({ inputSize: 4, hiddenSize: 8, activation: 'relu' }, { layout: 'pytorch', ...stateDict });
 */
export async function createRnn(config: RnnConfig, weights: RnnLayout, options?: ModelOptions): Promise<GruModel> {
  return modelFromArrays(
    findCore,
    'createRnn',
    later((layouts) => layouts.rnnSpec),
    config,
    weights,
    options,
  );
}
