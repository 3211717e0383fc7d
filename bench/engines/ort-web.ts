import { onPage } from '../assets.ts';
import { ortEngine } from '../ort.ts';

const DIST = 'node_modules/onnxruntime-web/dist';

export const ortWeb = ortEngine(
  async () => {
    const ort = await import('onnxruntime-web');
    ort.env.wasm.numThreads = 1;
    if (onPage) ort.env.wasm.wasmPaths = `/bench/${DIST}/`;
    return ort;
  },
  { executionProviders: ['wasm'] },
  {
    name: 'ort-web',
    hosts: ['node', 'page'],
    packages: ['onnxruntime-web'],
    ships: { code: "export * from 'onnxruntime-web/wasm'", files: [`${DIST}/ort-wasm-simd-threaded.wasm`] },
  },
);
