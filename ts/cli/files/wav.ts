import { doublesToFloats } from '../../io/double.ts';
import { CommandError, EXIT } from '../exit.ts';
import type { Packed } from './packed.ts';

const PCM = 1;
const FLOAT = 3;
const EXTENSIBLE = 0xfffe;

const tag = (view: DataView, at: number) => String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(at + i)));

/** Finds the samples of a RIFF WAVE file: PCM of 8 to 32 bits, which become -1 .. 1, and floats. */
export function readWavHeader(head: Uint8Array, what: string): Packed {
  const damaged = () => new CommandError(EXIT.data, `${what} is no WAV file, or a damaged one`);
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  if (head.length < 12 || tag(view, 0) !== 'RIFF' || tag(view, 8) !== 'WAVE') throw damaged();
  let form: Pick<Packed, 'width' | 'floats' | 'sound'> | undefined;
  for (let at = 12; at + 8 <= head.length;) {
    const [name, size] = [tag(view, at), view.getUint32(at + 4, true)];
    at += 8;
    if (name === 'fmt ') {
      if (size < 16 || at + size > head.length) throw damaged();
      const code = view.getUint16(at, true);
      const sound = { channels: view.getUint16(at + 2, true), rate: view.getUint32(at + 4, true) };
      const bits = view.getUint16(at + 14, true);
      form = {
        ...samples(code === EXTENSIBLE && size >= 26 ? view.getUint16(at + 24, true) : code, bits, what),
        sound,
      };
      const frame = view.getUint16(at + 12, true);
      if (frame !== form.width * sound.channels || sound.rate === 0) {
        const text = `${sound.channels} channels of ${bits} bits in ${frame} bytes, ${sound.rate} times a second`;
        throw new CommandError(EXIT.data, `${what}: a damaged WAV file: it says ${text}`);
      }
    }
    // A stream says that its length is not known by 0 or by the largest there is.
    if (name === 'data') {
      if (!form) throw damaged();
      if (size === 0 || size === 0xffff_ffff) return { start: at, bytes: undefined, ...form };
      const frame = form.width * form.sound!.channels;
      if (size % frame === 0) return { start: at, bytes: size, ...form };
      throw new CommandError(
        EXIT.data,
        `${what}: a damaged WAV file: ${size} bytes of sound are no whole frames of ${frame}`,
      );
    }
    at += size + (size % 2);
  }
  throw damaged();
}

function samples(code: number, bits: number, what: string): Pick<Packed, 'width' | 'floats'> {
  const width = bits / 8;
  const by = (read: (view: DataView, at: number) => number): Pick<Packed, 'width' | 'floats'> => ({
    width,
    floats(bytes) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      const out = new Float32Array(bytes.length / width);
      for (let i = 0; i < out.length; i++) out[i] = read(view, i * width);
      return out;
    },
  });
  if (code === FLOAT && bits === 32) return by((view, at) => view.getFloat32(at, true));
  if (code === FLOAT && bits === 64) {
    return {
      width,
      floats: ({ buffer, byteLength }) => doublesToFloats(new Float64Array(buffer, 0, byteLength / width), what),
    };
  }
  if (code === PCM && bits === 8) return by((view, at) => (view.getUint8(at) - 128) / 128);
  if (code === PCM && bits === 16) return by((view, at) => view.getInt16(at, true) / 2 ** 15);
  if (code === PCM && bits === 24) {
    return by((view, at) => (view.getUint16(at, true) + view.getInt8(at + 2) * 65536) / 2 ** 23);
  }
  if (code === PCM && bits === 32) return by((view, at) => view.getInt32(at, true) / 2 ** 31);
  throw new CommandError(
    EXIT.data,
    `${what}: WAV of code ${code} with ${bits} bits; supported: PCM of 8, 16, 24, 32 and floats`,
  );
}

/** The header of a WAV file of 32-bit floats, 44 bytes. */
export function writeWavHeader(values: number, channels: number, rate: number): Uint8Array {
  const bytes = Math.min(values * 4, 0xffff_ffff - 36);
  const view = new DataView(new ArrayBuffer(44));
  const text = (at: number, letters: string) => {
    for (let i = 0; i < 4; i++) view.setUint8(at + i, letters.charCodeAt(i));
  };
  text(0, 'RIFF');
  view.setUint32(4, 36 + bytes, true);
  text(8, 'WAVE');
  text(12, 'fmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, FLOAT, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * channels * 4, true);
  view.setUint16(32, channels * 4, true);
  view.setUint16(34, 32, true);
  text(36, 'data');
  view.setUint32(40, bytes, true);
  return new Uint8Array(view.buffer);
}
