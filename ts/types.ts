/** What every entry exports beside its functions. */
export type { GruApi, LoadOptions, ModelOptions } from './api.ts';
export { GruError, type GruErrorCode } from './errors.ts';
export type { FlowOptions, StepSource } from './flow.ts';
export type { ImportContext, ImportedModel, ImportedTensor, ImportOptions, ImportReport } from './formats/report.ts';
export type { GruConfig, GruLayout } from './gru.ts';
export type { InputInfo, LayerInfo, ModelInfo, OutputInfo, StateInfo } from './info.ts';
export type { ModelInput } from './inputs.ts';
export type { KerasDirection, KerasGruWeights } from './layouts/keras.ts';
export type { PytorchGruWeights, PytorchKey } from './layouts/pytorch.ts';
export type { TextbookDirection, TextbookGate, TextbookGruWeights } from './layouts/textbook.ts';
export type { GruModel, RunOptions, SaveOptions, StreamOptions } from './model.ts';
export type { RunResult } from './result.ts';
export type { Inspection } from './inspect.ts';
export type { ReadOptions } from './read.ts';
export type { ModelFiles, ModelSource } from './source.ts';
export type {
  Activation,
  ActivationName,
  ActivationSpec,
  DenseSpec,
  EmbeddingSpec,
  GruSpec,
  GruWeights,
  InputSpec,
  LayerBase,
  LayerSpec,
  MaskingSpec,
  MergeSpec,
  ModelSpec,
  OutputSpec,
  ValueKind,
  ValueRef,
} from './spec.ts';
export type { StateInput, StateRecord } from './states.ts';
export type { StepInput, StepOutput, StepValue } from './step.ts';
export type { GruStream } from './stream.ts';
export type { GruStreams } from './streams.ts';
export type { Dimension, Tensor, TensorLike } from './tensor.ts';
