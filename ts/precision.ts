export { type AutoPrecision, autoPrecision, type AutoPrecisionOptions } from './api/precision/auto.ts';
export { type CalibrateOptions, type CalibratedLayer, type Calibration, calibrate } from './api/precision/calibrate.ts';
export type { Difference } from './api/precision/difference.ts';
export { type LayerSensitivity, type Sensitivity, sensitivity } from './api/precision/sensitivity.ts';
export type { QuantizableLayer, SensitivityOptions, Sequences } from './api/precision/variants.ts';
export { GruError, type GruErrorCode } from './base/errors.ts';
export type { WeightDtype } from './base/weights.ts';
