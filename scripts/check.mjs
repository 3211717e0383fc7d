import { existsSync } from 'node:fs';
import { at, main, run, seconds } from './lib.mjs';
import { setup } from './setup.mjs';
import { WASM_BUILDS, wasmEnv } from './wasm.mjs';

const clippy = ['clippy', '--workspace', '--locked'];
const nodeTool = (path, ...args) => [process.execPath, [at('node_modules', path), ...args]];

/** Entries that no program imports by types: binaries, a worker's script, and what the server's package shares with the command. */
const UNTYPED = [
  ...['--exclude-entrypoints', 'wasm/baseline.wasm', 'wasm/relaxed.wasm', 'pool-worker', 'command'],
  ...['--format', 'ascii', '--quiet'],
];

const CHECKS = [
  ['cargo fmt', 'cargo', ['fmt', '--all', '--check']],
  ['clippy, native', 'cargo', [...clippy, '--all-targets', '--', '-D', 'warnings']],
  ...Object.keys(WASM_BUILDS).map((name) => [
    `clippy, wasm ${name}`,
    'cargo',
    [...clippy, '--target', 'wasm32-unknown-unknown', '--', '-D', 'warnings'],
    { env: wasmEnv(name) },
  ]),
  ['miri', process.execPath, [at('scripts', 'miri.mjs')]],
  ['tsc', ...nodeTool('typescript/bin/tsc', '--noEmit')],
  ...['bench', 'server']
    .filter((folder) => existsSync(at(folder, 'node_modules', 'gru-wasm')))
    .map((folder) => [`tsc, ${folder}`, ...nodeTool('typescript/bin/tsc', '--noEmit', '-p', folder)]),
  ['publint', ...nodeTool('publint/src/cli.js', '--strict')],
  ['types of the package, by attw', ...nodeTool('@arethetypeswrong/cli/dist/index.js', '--pack', '.', ...UNTYPED)],
  ['size-limit', ...nodeTool('size-limit/bin.js')],
  ['eslint', ...nodeTool('eslint/bin/eslint.js', '--max-warnings=0', '.')],
  ['paths of build machines', process.execPath, [at('scripts', 'check-paths.mjs')]],
  ['regular expressions', process.execPath, [at('scripts', 'check-patterns.mjs')]],
  ['prettier', ...nodeTool('prettier/bin/prettier.cjs', '--check', '--log-level=warn', '.')],
];

await main(async () => {
  await setup();
  const failed = [];
  for (const [title, command, args, options] of CHECKS) {
    const start = performance.now();
    const code = await run(command, args, options);
    console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${title} (${seconds(start)})`);
    if (code !== 0) failed.push(title);
  }
  if (failed.length > 0) console.log(`failed checks: ${failed.join(', ')}`);
  return failed.length === 0 ? 0 : 1;
});
