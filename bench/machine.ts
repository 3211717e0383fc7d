import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { arch, cpus, release, totalmem, type } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Machine } from './record.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** What a command prints, or nothing where it is missing or fails. */
function output(command: string, ...args: string[]): string {
  try {
    return execFileSync(command, args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return '';
  }
}

function fieldsOf(lscpu: string): Record<string, string> {
  return Object.fromEntries(lscpu.split('\n').map((line) => line.split(/:\s+/, 2) as [string, string]));
}

/** `EPYC` says little, the family and model tell a Zen 3 from a Zen 5. */
export function machine(): Machine {
  const { 'CPU family': family, Model: model, 'Model name': name, Flags: flags = '' } = fieldsOf(output('lscpu'));
  const wide = ['avx2', 'avx512f', 'avx512_vnni', 'avx_vnni'].filter((flag) => flags.split(' ').includes(flag));
  const kind =
    family === undefined ? '' : ` (family ${family}, model ${model ?? '?'}; ${wide.join(', ') || 'no AVX2'})`;
  const caches = output('lscpu', '-C=NAME,ONE-SIZE').split('\n').slice(1);
  return {
    cpu: `${name ?? cpus()[0]?.model ?? 'unknown processor'}${kind}`,
    cores: cpus().length,
    caches: caches.map((line) => line.trim().replace(/\s+/, ' ')).join(', ') || 'unknown',
    memory: `${(totalmem() / 2 ** 30).toFixed(0)} GiB`,
    system: `${type()} ${release()} ${arch()}`,
  };
}

export const cpuSlug = ({ cpu }: Machine) =>
  cpu
    .replace(/\(R\)|\(TM\)|;.*| Processor| CPU/g, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');

/** The commit, with a mark where files of it have been changed. */
export function commit(): string {
  const changed =
    output('git', 'status', '--porcelain', '--untracked-files=no', '--', 'crate', 'ts', 'scripts', 'bench') !== '';
  return (output('git', 'rev-parse', '--short=12', 'HEAD') || 'unknown') + (changed ? ' + changes' : '');
}

export const rustc = () => output('rustc', '--version');

export function versionsOf(packages: string[] = []): string[] {
  return packages.map((name) => {
    const file = new URL(`node_modules/${name}/package.json`, import.meta.url);
    return `${name} ${(JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version}`;
  });
}
