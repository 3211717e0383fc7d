import { Miniflare, Response } from 'miniflare';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

// As wrangler uploads them: the bundle, and the wasm modules beside it.
const [folder, compatibilityDate, body] = process.argv.slice(2);
const module = (type, path) => ({ type, path, contents: readFileSync(join(folder, path)) });
const miniflare = new Miniflare({
  compatibilityDate,
  // Where there is a body, the folder `public` is there as `ASSETS`, as wrangler's assets are.
  ...(body && {
    serviceBindings: {
      ASSETS: (request) => new Response(readFileSync(join(folder, 'public', new URL(request.url).pathname))),
    },
  }),
  modules: [
    module('ESModule', 'worker.js'),
    module('CompiledWasm', 'baseline.wasm'),
    module('CompiledWasm', 'relaxed.wasm'),
  ],
});
try {
  const response = await miniflare.dispatchFetch('http://localhost/', body && { method: 'POST', body });
  console.log(await response.text());
} finally {
  await miniflare.dispose();
}
