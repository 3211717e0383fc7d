import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { at, output } from './lib.mjs';

/** Texts for packages that ship none. */
const TEXTS = { '@bufbuild/protobuf': ['apache-2.0.txt', 'protobuf-bsd-3-clause.txt'] };

const text = (folder, wanted = /^(licen[cs]e|copying|unlicense)/i) =>
  readdirSync(folder)
    .filter((name) => wanted.test(name))
    .map((name) => readFileSync(join(folder, name), 'utf8').trim())
    .join('\n\n');

function npmPackage(name) {
  const folder = at('node_modules', name);
  const { version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const texts = TEXTS[name]?.map((file) => readFileSync(at('scripts', 'licences', file), 'utf8').trim());
  return { name, version, license, text: texts?.join('\n\n') ?? text(folder) };
}

/** The crates whose code is in the wasm binaries: what the bindings depend on there, but for macros and build scripts. */
export function crates() {
  const args = ['metadata', '--format-version', '1', '--locked', '--filter-platform', 'wasm32-unknown-unknown'];
  const { packages, resolve } = JSON.parse(output('cargo', ...args));
  const found = new Map();
  const visit = (id) => {
    const crate = packages.find((one) => one.id === id);
    if (found.has(id) || crate.targets.every(({ kind }) => kind.includes('proc-macro'))) return;
    found.set(id, crate);
    const { deps } = resolve.nodes.find((node) => node.id === id);
    for (const { pkg, dep_kinds } of deps) if (dep_kinds.some(({ kind }) => kind === null)) visit(pkg);
  };
  visit(packages.find(({ name }) => name === 'gru-wasm-bindings').id);
  return [...found.values()]
    .filter(({ source }) => source !== null)
    .map(({ name, version, license, manifest_path }) => {
      // Of two to choose from, the one that gru-wasm itself is under.
      const wanted = license === 'MIT OR Apache-2.0' ? /^license-mit/i : undefined;
      return { name, version, license, text: text(dirname(manifest_path), wanted) };
    });
}

/** What dist/THIRD-PARTY-LICENSES.txt holds: the npm packages that rollup found, what is inside them, and the crates. */
export function thirdPartyLicences(dependencies) {
  const names = dependencies.map(({ name }) => name);
  const all = [...[...new Set(names)].sort().map(npmPackage), ...crates().sort((a, b) => (a.name < b.name ? -1 : 1))];
  for (const { name, text } of all) if (!text) throw new Error(`${name} has no licence text: see scripts/licences.mjs`);
  return all
    .map(({ name, version, license, text }) => `Name: ${name}\nVersion: ${version}\nLicense: ${license}\n\n${text}\n`)
    .join('\n---\n\n');
}
