import { GruError } from '../base/errors.ts';
import { dtyped, weightsOf } from '../base/weights.ts';
import type { ModelSpec } from '../spec/spec.ts';

/** How often a file's tensors may be in use, all in all; */
const MOST_USES = 16;
/** and what they may take beyond that, in bytes of float32. */
const ROOM = 2 ** 26;

/**
 * Layers that share a tensor have room of their own for it, each: 800 layers over 4 MB took 3.3 GB.
 *
 * @throws GruError `unsupported`.
 */
export function checkShared(spec: ModelSpec): void {
  // Tensors may be views of one buffer.
  const usedOf = new Map<ArrayBufferLike, number>();
  for (const tensor of spec.layers.flatMap((layer) => Object.values(weightsOf(layer)))) {
    if (!tensor) continue;
    const { buffer, length } = dtyped(tensor).data;
    usedOf.set(buffer, (usedOf.get(buffer) ?? 0) + 4 * length);
  }
  let [used, there] = [0, 0];
  for (const [{ byteLength }, bytes] of usedOf) {
    used += bytes;
    there += Math.min(bytes, byteLength);
  }
  if (used <= MOST_USES * there + ROOM) return;
  const mb = (bytes: number) => `${Math.ceil(bytes / 2 ** 20)} MB`;
  throw new GruError(
    'unsupported',
    `its layers share tensors of ${mb(there)} so often that they would take ${mb(used)}; supported: ${MOST_USES} uses of each, and ${mb(ROOM)}`,
  );
}
