import { mkdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { at, run } from '../lib.mjs';

export const project = (...path) => at('tests', 'consumers', ...path);

/** A file of a package beside which gru-wasm is installed. */
export const tool = (...path) => project('node_modules', ...path);

export const nodeOf = (major) => tool(`node-${major}`, 'bin', 'node');

const require = createRequire(project('package.json'));

/** The module of a package there; those that the package's own development needs are found too. */
export const load = (name) => import(pathToFileURL(require.resolve(name)));

/** An empty folder for what a consumer makes. */
export function outFolder(name) {
  const folder = at('target', 'consumers', name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** What a command prints on both its outputs. @throws Error with the end of it where the command fails. */
export async function printed(command, args, options = {}) {
  let text = '';
  const code = await run(command, args, { cwd: project(), ...options, onText: (piece) => (text += piece) });
  if (code !== 0) throw new Error(`exit code ${code}: ${text.trim().slice(-1500)}`);
  return text;
}

/** The parts that a text tells of (tests/consumers/model.mjs). */
export const parts = (text) =>
  [...text.matchAll(/^gru-wasm\/(\S+) (\{.*\})$/gm)].map(([, part, json]) => ({ part, ...JSON.parse(json) }));
