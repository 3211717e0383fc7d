/** What the first bytes of a file say, without the parsers of the formats. */

import { isSafetensors } from '../io/safetensors.ts';

function startsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return bytes.length >= magic.length && magic.every((byte, i) => bytes[i] === byte);
}

function ascii(bytes: Uint8Array, from: number, to: number): string {
  return String.fromCharCode(...bytes.subarray(from, to));
}

/** Version 3.0 of the HDF5 format specification, II.A: the signature of a superblock at the start of the file. */
export function isHdf5(bytes: Uint8Array): boolean {
  return startsWith(bytes, [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]);
}

/** A zip file with an entry, or (the end record alone) without. */
export function isZip(bytes: Uint8Array): boolean {
  return startsWith(bytes, [0x50, 0x4b, 3, 4]) || startsWith(bytes, [0x50, 0x4b, 5, 6]);
}

/** HDF5, or a zip file whose first entry is one of a `.keras` file. */
export function isKeras(bytes: Uint8Array): boolean {
  return (
    isHdf5(bytes) || (isZip(bytes) && /^(metadata\.json|config\.json|model\.weights\.h5)/.test(ascii(bytes, 30, 55)))
  );
}

/** A `.safetensors` file, or what `torch.save` writes: a zip file, or (before PyTorch 1.6) a pickle of protocol 2 to 5. */
export function isPytorch(bytes: Uint8Array): boolean {
  return isSafetensors(bytes) || isZip(bytes) || (bytes[0] === 0x80 && bytes[1]! >= 2 && bytes[1]! <= 5);
}

/**
 * An ONNX model: a protobuf message that begins with ir_version (1 to 31), then producer_name .. graph, opset_import,
 * metadata_props, or model_version.
 */
export function isOnnx(bytes: Uint8Array): boolean {
  const next = [0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42, 0x72];
  return bytes.length > 8 && bytes[0] === 0x08 && bytes[1]! >= 1 && bytes[1]! < 32 && next.includes(bytes[2]!);
}

/** The model.json of TensorFlow.js. */
export function isTfjs(bytes: Uint8Array): boolean {
  const start = ascii(bytes, 0, 4096);
  return /^\s*\{/.test(start) && /"(modelTopology|weightsManifest|format)"/.test(start);
}
