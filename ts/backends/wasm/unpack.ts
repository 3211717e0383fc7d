import { builtin } from '../../base/host.ts';
import type { BuildName } from './core.ts';
import { patch } from './patch.ts';

/** What packed.ts and packed-core.ts give: a module that scripts/pack-wasm.mjs packs the two builds of a flavour into. */
export type LoadPacked = () => Promise<WebAssembly.Module>;

/** The binary of a build. */
export async function unpack(load: LoadPacked, name: BuildName): Promise<Uint8Array<ArrayBuffer>> {
  const packed = await load();
  const section = (id: BuildName) => inflate(WebAssembly.Module.customSections(packed, id)[0]!);
  const baseline = await section('baseline');
  return name === 'baseline' ? baseline : patch(baseline, await section('relaxed'));
}

async function inflate(data: ArrayBuffer): Promise<Uint8Array<ArrayBuffer>> {
  // Node takes 17 ms to load its DecompressionStream, 1 to 2 to load this.
  const zlib = builtin('node:zlib');
  if (zlib) return new Uint8Array(zlib.inflateRawSync(data));
  const stream = new Blob([data]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
