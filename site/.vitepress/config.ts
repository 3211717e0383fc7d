import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig, type HeadConfig } from 'vitepress';
import { apiSidebar } from './api.ts';
import { linksOutward, REWRITES } from './links.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { version: string };
/**
 * Nothing leaves the browser: a page asks its own origin only. VitePress and the page about models need inline scripts and styles, wasm needs
 * `wasm-unsafe-eval`, worklets and workers are of our origin or made of blobs.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval' blob:",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "media-src 'self' blob:",
  "connect-src 'self'",
  "worker-src 'self' blob:",
  "object-src 'none'",
  "base-uri 'self'",
].join('; ');

const head: HeadConfig[] = [
  ['meta', { name: 'theme-color', content: '#3b6ea8' }],
  ['link', { rel: 'icon', href: '/__base__/icon.svg', type: 'image/svg+xml' }],
];
// The development server reloads through a socket and inlines what it likes.
if (process.env['NODE_ENV'] === 'production')
  head.unshift(['meta', { 'http-equiv': 'Content-Security-Policy', content: CONTENT_SECURITY_POLICY }]);

export default defineConfig({
  title: 'gru-wasm',
  description: 'Recurrent networks in JavaScript: GRU, LSTM and RNN inference in WebAssembly SIMD',
  lang: 'en',
  // A placeholder: relocate.ts makes the pages work in any folder.
  base: '/__base__/',
  srcDir: '..',
  // Documents of docs/ are read where they lie; what only the site has is in site/pages.
  srcExclude: ['README.md', 'CONTRIBUTING.md', '!(docs|site)/**/*', 'site/*.md', '**/node_modules/**'],
  rewrites: REWRITES,
  outDir: './dist',
  cacheDir: './node_modules/.cache/vitepress',
  head,
  // 25 pages in the sidebar: what the service worker keeps makes the next page as quick.
  router: { prefetchLinks: false },
  // VitePress preloads what a page imports on demand too: the benchmark's other engines are loaded when they are asked for.
  transformHtml: (html) =>
    html.replace(/<link rel="modulepreload" href="[^"]*\/(onnxruntime|tensorflow)\.[^"]*">/g, ''),
  markdown: {
    // Those of GitHub without high contrast are too faint for WCAG AA.
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
    config(markdown) {
      linksOutward(markdown);
      // Indented code is code: it scrolls, and takes the focus.
      markdown.renderer.rules.code_block = (tokens, index, ...rest) => {
        tokens[index]!.info = 'text';
        return markdown.renderer.rules.fence!(tokens, index, ...rest);
      };
    },
  },
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [
      { text: 'Guide', link: '/start' },
      { text: 'How a GRU works', link: '/how-a-gru-works' },
      { text: 'Try', link: '/try/model' },
      { text: 'API', link: '/api/' },
      { text: version, link: '/changes' },
    ],
    sidebar: {
      '/api/': apiSidebar(),
      '/': [
        {
          text: 'Start',
          items: [
            { text: 'A result within a minute', link: '/start' },
            { text: 'How a GRU works', link: '/how-a-gru-works' },
            { text: 'GRU or LSTM?', link: '/gru-or-lstm' },
            { text: 'When not to use it', link: '/when-not' },
          ],
        },
        {
          text: 'Load a model',
          items: [
            { text: 'PyTorch', link: '/formats/pytorch' },
            { text: 'Keras', link: '/formats/keras' },
            { text: 'ONNX', link: '/formats/onnx' },
            { text: 'TensorFlow.js', link: '/formats/tfjs' },
            { text: 'RTNeural', link: '/formats/rtneural' },
            { text: 'What runs', link: '/what-runs' },
          ],
        },
        {
          text: 'Run it',
          items: [
            { text: 'Batches, lengths and masks', link: '/batches' },
            { text: 'Axes and states', link: '/axes-and-states' },
            { text: 'Weights of 16 and 8 bits', link: '/precision' },
            { text: 'Streams', link: '/streams' },
            { text: 'Audio', link: '/audio' },
            { text: 'Pools of workers', link: '/pool' },
            { text: 'The command gru', link: '/command' },
            { text: 'Serving', link: '/serving' },
            { text: 'Scoring files', link: '/scoring' },
            { text: 'Backends and browsers', link: '/backends' },
            { text: 'Performance', link: '/performance' },
            { text: 'Coming from ONNX Runtime Web or TensorFlow.js', link: '/migrating' },
          ],
        },
        {
          text: 'How it is made',
          items: [
            { text: 'Arithmetic and its promises', link: '/arithmetic' },
            { text: 'Packing, kernels, the seam', link: '/making-of' },
            { text: 'Security', link: '/security' },
          ],
        },
        {
          text: 'Try',
          items: [
            { text: 'Your own model', link: '/try/model' },
            { text: 'Words to phonemes', link: '/try/words' },
            { text: 'An audio effect', link: '/try/audio' },
            { text: 'A keyword spotter', link: '/try/keywords' },
            { text: 'The benchmark', link: '/try/benchmark' },
          ],
        },
      ],
    },
  },
  vite: {
    plugins: [
      {
        // A font that comes late waits for the next page: one that is swapped in moves the text.
        name: 'fonts-move-nothing',
        enforce: 'pre',
        transform: (code, id) =>
          id.endsWith('/styles/fonts.css') ? code.replaceAll('font-display: swap', 'font-display: optional') : null,
      },
      {
        // Pages of docs/ lie above the packages of the site.
        name: 'vue-of-the-site',
        enforce: 'pre',
        resolveId(id, _, { ssr }) {
          if (!/^vue(\/|$)/.test(id)) return null;
          // On the server Node finds it, from the folder of the site.
          return ssr ? { id, external: true } : this.resolve(id, fileURLToPath(import.meta.url), { skipSelf: true });
        },
      },
    ],
    resolve: {
      alias: [
        { find: /^gru-wasm$/, replacement: `${root}dist/index.js` },
        { find: /^gru-wasm\/(.+)$/, replacement: `${root}dist/$1.js` },
      ],
    },
    server: { fs: { allow: [root] } },
    worker: { format: 'es' },
    publicDir: fileURLToPath(new URL('../public', import.meta.url)),
    assetsInclude: ['**/*.safetensors'],
  },
});
