// After the first visit the site works offline. (workbox-build, the kept library for this, brings 200 packages with it; this is what we need of it.)
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';

/**
 * What is kept only once it has been asked for: the peers of the benchmark (16 MB), and alphabets that no page is written in.
 */
const WHEN_ASKED = /(^|\/)(onnxruntime|tensorflow|ort-|tfjs-)[^/]*\.(js|wasm)$|\/inter-\w+-(?!(latin|greek)\.)/;

/**
 * The service worker itself: what is in `files` is fetched at once, under one name for one state of the site; the rest when it is asked for. All of it is then answered without
 * the network.
 */
const worker = (name, files) => `const NAME = ${JSON.stringify(name)};
const FILES = ${JSON.stringify(files)};
addEventListener('install', (event) => {
  event.waitUntil(caches.open(NAME).then((cache) => cache.addAll(FILES)).then(() => skipWaiting()));
});
addEventListener('activate', (event) => {
  const old = async () => {
    for (const name of await caches.keys()) if (name.startsWith('gru-wasm-site-') && name !== NAME) await caches.delete(name);
    await clients.claim();
  };
  event.waitUntil(old());
});
addEventListener('fetch', (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== 'GET' || url.origin !== location.origin) return;
  const page = event.request.mode === 'navigate';
  const answer = async () => {
    const cache = await caches.open(NAME);
    const paths = page ? [url.pathname, url.pathname + '.html', url.pathname + 'index.html'] : [url.pathname];
    for (const path of paths) {
      const hit = await cache.match(path);
      if (hit) return hit;
    }
    const response = await fetch(event.request);
    if (response.status === 200) await cache.put(url.pathname, response.clone());
    return response;
  };
  event.respondWith(answer());
});
`;

/** Writes sw.js for the files of a folder; says how many, and how large. */
export function serviceWorker(folder) {
  const hash = createHash('sha256');
  const all = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== 'sw.js')
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort();
  for (const name of all) hash.update(name).update(readFileSync(join(folder, name)));
  const files = all.filter((name) => !WHEN_ASKED.test(name));
  const bytes = files.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  writeFileSync(join(folder, 'sw.js'), worker(`gru-wasm-site-${hash.digest('hex').slice(0, 12)}`, files));
  return `${files.length} of ${all.length} files kept for offline use, ${(bytes / 1e6).toFixed(1)} MB`;
}
