import { Miniflare } from 'miniflare';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

// As wrangler uploads them: the bundle, and the wasm modules beside it.
const [folder, compatibilityDate] = process.argv.slice(2);
const module = (type, path) => ({ type, path, contents: readFileSync(join(folder, path)) });
const miniflare = new Miniflare({
  compatibilityDate,
  modules: [
    module('ESModule', 'worker.js'),
    module('CompiledWasm', 'baseline.wasm'),
    module('CompiledWasm', 'relaxed.wasm'),
  ],
});
try {
  const response = await miniflare.dispatchFetch('http://localhost/');
  console.log(await response.text());
} finally {
  await miniflare.dispose();
}
