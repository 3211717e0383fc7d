/**
 * The samples of a WAV file of one channel of 16 bits at 16 kHz.
 *
 * @param {Uint8Array} bytes
 * @returns {Float32Array} in -1 to 1
 * @throws {RangeError} for any other file
 */
export function readWav(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tag = (at) => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (bytes.length < 12 || tag(0) !== 'RIFF' || tag(8) !== 'WAVE') throw new RangeError('not a WAV file');
  let fits = false;
  for (let at = 12; at + 8 <= bytes.length;) {
    const [kind, size, start] = [tag(at), view.getUint32(at + 4, true), at + 8];
    if (kind === 'fmt ' && start + 16 <= bytes.length) {
      const [format, channels] = [view.getUint16(start, true), view.getUint16(start + 2, true)];
      const [rate, bits] = [view.getUint32(start + 4, true), view.getUint16(start + 14, true)];
      fits = format === 1 && channels === 1 && rate === 16000 && bits === 16;
      if (!fits) {
        throw new RangeError(
          `a WAV file of format ${format}, ${channels} channels, ${rate} Hz, ${bits} bits; make it one channel of 16-bit PCM at 16000 Hz: ` +
            'ffmpeg -i in.wav -ac 1 -ar 16000 -c:a pcm_s16le out.wav',
        );
      }
    }
    if (kind === 'data' && fits) return fromPcm(bytes.subarray(start, start + size));
    at = start + size + (size % 2);
  }
  throw new RangeError('a WAV file without samples');
}

/** Little-endian 16-bit samples, in -1 to 1. */
export function fromPcm(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.length >> 1 }, (_, i) => view.getInt16(2 * i, true) / 32768);
}
