/**
 * The power spectrum of `size` real samples (a power of two), by the radix-2 Cooley-Tukey FFT: |X[k]|^2 for k = 0 to size / 2.
 *
 * @param {number} size
 * @returns {(samples: Float64Array) => Float64Array} The array that it gives is the same at each call.
 */
export function powerSpectrum(size) {
  const bits = Math.log2(size);
  const reversed = Uint16Array.from({ length: size }, (_, i) => {
    let r = 0;
    for (let b = 0; b < bits; b++) r |= ((i >> b) & 1) << (bits - 1 - b);
    return r;
  });
  const cos = Float64Array.from({ length: size / 2 }, (_, k) => Math.cos((2 * Math.PI * k) / size));
  const sin = Float64Array.from({ length: size / 2 }, (_, k) => -Math.sin((2 * Math.PI * k) / size));
  const [re, im] = [new Float64Array(size), new Float64Array(size)];
  const power = new Float64Array(size / 2 + 1);

  return (samples) => {
    for (let i = 0; i < size; i++) re[i] = samples[reversed[i]];
    im.fill(0);
    for (let half = 1; half < size; half *= 2) {
      const stride = size / 2 / half;
      for (let start = 0; start < size; start += 2 * half) {
        for (let a = start, k = 0; a < start + half; a++, k += stride) {
          const b = a + half;
          const x = re[b] * cos[k] - im[b] * sin[k];
          const y = re[b] * sin[k] + im[b] * cos[k];
          re[b] = re[a] - x;
          im[b] = im[a] - y;
          re[a] += x;
          im[a] += y;
        }
      }
    }
    for (let k = 0; k < power.length; k++) power[k] = re[k] * re[k] + im[k] * im[k];
    return power;
  };
}
