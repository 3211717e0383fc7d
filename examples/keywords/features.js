// Log-mel features of a stream of samples, as `log_mel` of train.py makes them.
import { powerSpectrum } from './fft.js';

/** Samples a second. */
export const RATE = 16000;
/** Samples from one frame to the next: 10 ms. */
export const HOP = 160;
/** Samples of a frame: 25 ms. */
export const FRAME = 400;
export const BANDS = 32;
const FFT = 512;
const [LOWEST, HIGHEST] = [60, 7600];

const mel = (hertz) => 2595 * Math.log10(1 + hertz / 700);
const hertz = (mel) => 700 * (10 ** (mel / 2595) - 1);

/** Triangles that are evenly spaced in mel: for each band its first bin and its weights. */
function melFilters() {
  const step = (mel(HIGHEST) - mel(LOWEST)) / (BANDS + 1);
  const edges = Array.from({ length: BANDS + 2 }, (_, i) => hertz(mel(LOWEST) + i * step));
  return Array.from({ length: BANDS }, (_, band) => {
    const [from, peak, to] = edges.slice(band, band + 3);
    const first = Math.ceil((from * FFT) / RATE);
    const weights = [];
    for (let bin = first; (bin * RATE) / FFT < to; bin++) {
      const f = (bin * RATE) / FFT;
      weights.push(Math.min((f - from) / (peak - from), (to - f) / (to - peak)));
    }
    return { first, weights };
  });
}

/**
 * A front end for a stream of samples in -1 to 1. Frame t begins at sample 160 t; what does not fill a frame waits for the next call, so
 * that the frames do not depend on how the samples are cut.
 *
 * @returns {(samples: Float32Array) => Float32Array} The frames that `samples` complete: (frames, 32), perhaps none.
 */
export function createFeatures() {
  const spectrum = powerSpectrum(FFT);
  const filters = melFilters();
  const window = Float64Array.from({ length: FRAME }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / FRAME));
  const waiting = new Float32Array(FRAME);
  const windowed = new Float64Array(FFT);
  let count = 0;

  return (samples) => {
    const frames = Math.max(0, Math.floor((count + samples.length - FRAME) / HOP) + 1);
    const out = new Float32Array(frames * BANDS);
    for (let at = 0, row = 0; at < samples.length;) {
      const taken = samples.subarray(at, at + FRAME - count);
      waiting.set(taken, count);
      at += taken.length;
      count += taken.length;
      if (count < FRAME) break;
      for (let i = 0; i < FRAME; i++) windowed[i] = waiting[i] * window[i];
      const power = spectrum(windowed);
      for (const { first, weights } of filters) {
        let sum = 0;
        for (let i = 0; i < weights.length; i++) sum += weights[i] * power[first + i];
        out[row++] = Math.log(sum + 1e-6);
      }
      waiting.copyWithin(0, HOP);
      count = FRAME - HOP;
    }
    return out;
  };
}
