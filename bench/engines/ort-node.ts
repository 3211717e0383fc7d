import { ortEngine } from '../ort.ts';

const BIN = 'node_modules/onnxruntime-node/bin/napi-v6/linux/x64';

export const ortNode = ortEngine(
  () => import('onnxruntime-node'),
  { executionProviders: ['cpu'], intraOpNumThreads: 1, interOpNumThreads: 1 },
  {
    name: 'ort-node',
    hosts: ['node'],
    packages: ['onnxruntime-node'],
    ships: {
      code: "export * from 'onnxruntime-node'",
      files: [`${BIN}/libonnxruntime.so.1`, `${BIN}/onnxruntime_binding.node`],
      external: ['*.node'],
    },
  },
);
