/** Bundled into one file, as esbuild does without splitting: what is loaded on demand is in it too. */
const modifyEsbuildConfig = (config) => ({ ...config, format: 'esm', logLevel: 'error' });
const entry = (name, limit) => ({
  name: `gru-wasm/${name}: ${limit.import}`,
  path: `dist/${name}.js`,
  gzip: true,
  modifyEsbuildConfig,
  ...limit,
});

/** What it is, so that it does not grow unseen. */
export default [
  // Budget: 60 kB, which the core (28 kB) and its wasm (36 kB) alone are above. On demand, and so in one file: the JS backend's core 9, layouts 3, trace 2 kB.
  entry('index', { import: '{ createGru }', limit: '80.2 kB' }),
  entry('slim', { import: '{ createGru }', limit: '40 kB' }),
  // `createRuntime` gives all functions, and so brings all readers of model files.
  entry('slim', { import: '{ createRuntime }', limit: '265.5 kB' }),
  entry('js', { import: '{ createGru }', limit: '38.9 kB' }),
  entry('worklet', { import: '{ createModelSync }', limit: '47.5 kB' }),
  entry('pool', { import: '{ createPool }', limit: '37 kB' }),
];
