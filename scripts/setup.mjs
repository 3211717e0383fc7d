import { existsSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { at, clearStamp, digest, isStamped, main, output, run, seconds, stamp, UserError, withLock } from './lib.mjs';
import { binaryName, WASI_TARGET, WASM_BUILDS, WASM_FLAVOURS, wasmEnv } from './wasm.mjs';

const WASM_TARGET = 'wasm32-unknown-unknown';
/** Miri comes with nightly Rust alone: the one of this day, for others may differ. */
export const NIGHTLY = 'nightly-2026-05-20';
const WASM_PACK = '0.15.1';
const FLAVOURS = Object.keys(WASM_FLAVOURS);
const BUILDS = Object.keys(WASM_BUILDS);
const RUST = 'install it from https://rustup.rs, open a new shell, and run this again';

/** The CLI must be of the very version of the library that is compiled in. */
const wasmBindgenVersion = () =>
  /name = "wasm-bindgen"\nversion = "([^"]+)"/.exec(readFileSync(at('Cargo.lock'), 'utf8'))[1];

const HINTS = [
  [
    /linker `?\S+`? not found|failed to find tool|is `cc` not installed/i,
    'a C compiler is missing: install one (Debian: apt-get install gcc; macOS: xcode-select --install)',
  ],
  [
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|resolve host|could not download|could not connect|failed to download|spurious network/i,
    'the package registry cannot be reached: connect to the network (or set up a mirror of it), and run this again',
  ],
  [/ENOSPC|no space left/i, 'the disk is full: free about 2 GB, and run this again'],
];

/** Runs a command quietly, shows that it lives, and shows all it printed when it fails. */
export async function quietly(command, args, options) {
  let text = '';
  const start = performance.now();
  const beat = setInterval(() => {
    console.log(`    ${seconds(start)}: ${text.trimEnd().split('\n').at(-1)?.trim() ?? ''}`);
  }, 20_000);
  const code = await run(command, args, { ...options, onText: (piece) => (text += piece) });
  clearInterval(beat);
  if (code === 0) return;
  console.error(text);
  const hint = HINTS.find(([pattern]) => pattern.test(text))?.[1] ?? 'see what it printed above';
  throw new UserError(`\`${[command, ...args.slice(0, 2)].join(' ')}\` failed: ${hint}`);
}

/** A step whose result is known to be current by a digest of what it was made from. */
export function stamped(name, title, takes, { value, outputs, work }) {
  return {
    title,
    takes,
    isDone: () => outputs.every((path) => existsSync(at(path))) && isStamped(name, value()),
    async work() {
      clearStamp(name);
      const made = value();
      await work();
      stamp(name, made);
    },
  };
}

export const npmPackages = (folder, title, takes) =>
  stamped(`npm-${folder.replaceAll(/\W/g, '-')}`, title, takes, {
    value: () => digest([join(folder, 'package-lock.json')]),
    outputs: [join(folder, 'node_modules')],
    work: () =>
      quietly('npm', ['ci', '--ignore-scripts', '--include=dev', '--no-audit', '--no-fund'], { cwd: at(folder) }),
  });

const rustTarget = (target) => ({
  title: `Rust target ${target}`,
  takes: '5 s',
  isDone: () => existsSync(join(output('rustc', '--print', 'sysroot'), 'lib', 'rustlib', target)),
  work: () => {
    if (!output('rustup', '--version'))
      throw new UserError(`rustup is missing, and this Rust has no ${target}: ${RUST}`);
    return quietly('rustup', ['target', 'add', target]);
  },
});

/** For the crate's tests in real wasm, whose harness prints and exits. */
export const wasiTarget = rustTarget(WASI_TARGET);

export const miriToolchain = {
  title: `${NIGHTLY} with Miri`,
  takes: '1 min',
  isDone: () => output('cargo', `+${NIGHTLY}`, 'miri', '--version') !== undefined,
  work: () => {
    if (!output('rustup', '--version')) throw new UserError(`rustup is missing, and Miri needs it: ${RUST}`);
    const components = ['--profile', 'minimal', '--component', 'miri,rust-src'];
    return quietly('rustup', ['toolchain', 'install', NIGHTLY, ...components]);
  },
};

const cargoTool = (crate, binary, version) => ({
  title: `${crate} ${version}, compiled into .tools`,
  takes: '2 min',
  isDone: () => output(at('.tools', 'bin', binary), '--version') === `${binary} ${version}`,
  work: () =>
    quietly(
      'cargo',
      ['install', `${crate}@${version}`, '--bin', binary, '--locked', '--debug', '--root', at('.tools')],
      {
        env: { CARGO_TARGET_DIR: at('.tools', 'target') },
      },
    ),
});

const wasmBuild = (flavour, build) => {
  const name = binaryName(flavour, build);
  const out = `crate/pkg/${name}`;
  return stamped(`wasm-${name}`, `wasm binary: ${name} (${WASM_BUILDS[build]})`, '20 s', {
    value: () =>
      digest(['crate', 'Cargo.toml', 'Cargo.lock', 'scripts/wasm.mjs'], {
        skip: ['crate/pkg', 'crate/target', 'crate/fuzz', 'crate/tests'],
        text: output('rustc', '--version'),
      }),
    outputs: [`${out}/gru_wasm.js`, `${out}/gru_wasm.d.ts`, `${out}/gru_wasm_bg.wasm`],
    async work() {
      const args = [
        'build',
        'crate/bindings',
        '--target',
        'web',
        '--mode',
        'no-install',
        '--no-pack',
        '--no-gitignore',
        '--release',
      ];
      const to = ['--out-name', 'gru_wasm', '--out-dir', `../pkg/${name}`];
      await quietly('wasm-pack', [...args, ...to, '--', '--locked', ...WASM_FLAVOURS[flavour]], {
        env: wasmEnv(build),
      });
      // TypeScript would take it for the type of the import that @rollup/plugin-wasm makes (ts/wasm.d.ts).
      rmSync(at(out, 'gru_wasm_bg.wasm.d.ts'), { force: true });
    },
  });
};

const packedWasm = stamped('wasm-packed', 'the wasm binaries, packed in pairs', '5 s', {
  value: () =>
    digest([
      ...FLAVOURS.flatMap((flavour) => BUILDS.map((build) => `crate/pkg/${binaryName(flavour, build)}`)),
      'scripts/pack-wasm.mjs',
      'ts/backends/wasm/patch.ts',
      'package-lock.json',
    ]),
  outputs: FLAVOURS.map((flavour) => `crate/pkg/${binaryName(flavour, 'packed')}.wasm`),
  work: () => quietly(process.execPath, [at('scripts', 'pack-wasm.mjs')]),
});

const bundle = stamped('dist', 'dist, by rollup', '10 s', {
  value: () =>
    digest([
      'ts',
      'crate/pkg',
      'rollup.config.mjs',
      'scripts/inline-wasm.mjs',
      'scripts/licences.mjs',
      'scripts/licences',
      'package.json',
      'package-lock.json',
      'tsconfig.json',
    ]),
  outputs: ['dist/index.js', 'dist/index.d.ts'],
  async work() {
    rmSync(at('dist'), { recursive: true, force: true });
    await quietly(process.execPath, [at('node_modules', 'rollup', 'dist', 'bin', 'rollup'), '--config', '--silent']);
  },
});

/** The site: its own packages, and site/dist. */
export const siteSteps = [
  npmPackages('site', "the site's npm packages", '1 min'),
  stamped('site', 'site/dist, by VitePress', '1 min', {
    value: () =>
      digest(['site', 'docs', 'dist', 'examples', 'bench/records', 'SECURITY.md', 'CHANGELOG.md', 'package.json'], {
        skip: ['site/node_modules', 'site/dist', 'site/generated', 'site/.vitepress/.temp', 'site/tests'],
      }),
    outputs: ['site/dist/index.html'],
    work: () => quietly(process.execPath, [at('site', 'build.mjs')]),
  }),
];

function checkHost() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19) || major === 21 || (major === 22 && minor < 3)) {
    throw new UserError(
      `Node ${process.versions.node} is too old: install Node 20.19, 22.3 or later from https://nodejs.org`,
    );
  }
  if (output('cargo', '--version') && output('rustc', '--version')) return;
  if (output('rustup', '--version'))
    throw new UserError('rustup has no Rust yet: run `rustup default stable`, then this again');
  throw new UserError(`Rust is missing: ${RUST}`);
}

/**
 * Makes all that running and testing need, skipping what is current.
 * @param {{ otherNode?: boolean, more?: object[] }} options `otherNode`: also the second Node that the tests run under;
 *   `more`: further steps, after the others
 */
export async function setup({ otherNode = false, more = [] } = {}) {
  const start = performance.now();
  checkHost();
  const steps = [
    npmPackages('.', 'npm packages', '30 s'),
    ...(otherNode ? [npmPackages('scripts/node24', 'Node 24 for the tests, from npm', '30 s')] : []),
    rustTarget(WASM_TARGET),
    cargoTool('wasm-bindgen-cli', 'wasm-bindgen', wasmBindgenVersion()),
    cargoTool('wasm-pack', 'wasm-pack', WASM_PACK),
    ...FLAVOURS.flatMap((flavour) => BUILDS.map((build) => wasmBuild(flavour, build))),
    packedWasm,
    bundle,
    ...more,
  ];
  await withLock('setup', async () => {
    for (const { title, takes, isDone, work } of steps) {
      if (isDone()) continue;
      const stepStart = performance.now();
      console.log(`set-up: ${title} (may take ${takes})`);
      await work();
      console.log(`    done in ${seconds(stepStart)}`);
    }
    rmSync(at('.tools', 'target'), { recursive: true, force: true });
  });
  console.log(`set-up: all is up to date (${seconds(start)})`);
}

if (realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await main(() => setup());
}
