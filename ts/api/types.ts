/** What every entry exports beside its functions. */
export type { GruApi } from './api.ts';
export type { LoadOptions, ModelOptions, ReadOptions } from './options.ts';
export type { Mask, RunOptions } from '../run/options.ts';
export type { TraceOptions } from './tracer.ts';
export { GruError, type GruErrorCode } from '../base/errors.ts';
export type { FlowOptions, StepSource } from '../stream/flow.ts';
export type { Precision } from '../formats/precision.ts';
export type { ImportContext, ImportedModel, ImportedTensor, ImportOptions, ImportReport } from '../formats/report.ts';
export type { GruConfig, GruLayout } from '../formats/layouts/gru.ts';
export type { LstmConfig, LstmLayout } from '../formats/layouts/lstm.ts';
export type { RecurrentConfig } from '../formats/layouts/recurrent.ts';
export type { RnnConfig, RnnLayout } from '../formats/layouts/rnn.ts';
export type { InputInfo, LayerInfo, ModelInfo, OutputInfo, StateInfo } from '../spec/info.ts';
export type { ModelInput } from '../run/inputs.ts';
export type { KerasDirection, KerasWeights } from '../formats/layouts/keras.ts';
export type { PytorchKey, PytorchWeights } from '../formats/layouts/pytorch.ts';
export type {
  TextbookDirection,
  TextbookGate,
  TextbookGruWeights,
  TextbookLstmDirection,
  TextbookLstmWeights,
} from '../formats/layouts/textbook.ts';
export type { GruModel, SaveOptions } from './model.ts';
export type { RunResult } from '../run/result.ts';
export type { Inspection } from './inspect.ts';
export type { LoadProgress } from '../io/progress.ts';
export type { ModelFiles, ModelSource } from '../io/source.ts';
export type * from '../spec/spec.ts';
export type { AnyState, LayerState, LstmState, LstmStateInput, StateInput, StateRecord } from '../run/states.ts';
export type { StepInput, StepOutput, StepValue } from '../stream/step.ts';
export type { GruStream, StreamOptions } from '../stream/stream.ts';
export type { Blocks } from '../stream/blocks.ts';
export type { GruStreams } from '../stream/streams.ts';
export type { WithNumbers } from '../base/numbers.ts';
export type { Dimension, Numbers, Tensor, TensorLike } from '../base/tensor.ts';
