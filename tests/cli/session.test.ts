import { spawnSync } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { amp, bin, encoder, folder, root } from './gru.ts';

/** The session of docs/command.md, run again: what it shows is what the command says now. `WRITE=1` writes it anew. */

const PAGE = join(root, 'docs/command.md');
const at = folder();
copyFileSync(encoder, at('encoder.safetensors'));
copyFileSync(amp, at('amp.safetensors'));

/** What it prints in a terminal: both of its streams. */
function printed(command: string): string {
  const gru = 'gru() { "$NODE" "$BIN" "$@" 2>&1; }';
  const env = { ...process.env, NO_COLOR: '1', NODE: process.execPath, BIN: bin };
  const { stdout } = spawnSync('bash', ['-c', `${gru}; ${command}`], { encoding: 'utf8', cwd: at('.'), env });
  return stdout;
}

/** Without what each machine and each run has of its own: times and their bars, the processor, versions. */
const known = (text: string) =>
  text
    .replaceAll(/(one thread of|^Node:|^processor:|^gru-wasm:|^kernels:|^shared memory:).*/gm, '$1')
    .replaceAll(/^(\S+ +(?:f32|i16|i8) +)[\d.]+ +(does not stream|[\d.]+) +█+$/gm, (_, what: string, step: string) => {
      return what + (/\d/.test(step) ? '0' : step);
    })
    .trimEnd();

// Other engines have relaxed SIMD, and so other backends.
test.runIf(process.versions.node.startsWith('20.'))('the session in docs/command.md', () => {
  const page = readFileSync(PAGE, 'utf8');
  const [, session] = /```text\n(\$ gru [^]*?)```/.exec(page)!;
  const steps = session!.split(/^(?=\$ )/m).map((step) => /^\$ (.*)\n([^]*)$/.exec(step)!.slice(1) as [string, string]);
  expect(steps.length).toBeGreaterThan(9);
  const again = steps.map(([command]) => [command, printed(command)] as const);
  if (process.env['WRITE']) {
    const text = again.map(([command, output]) => `$ ${command}\n${output.trimEnd()}\n`).join('\n');
    writeFileSync(
      PAGE,
      page.replace(session!, () => text.replaceAll('\n\n\n', '\n\n')),
    );
    return;
  }
  for (const [i, [command, output]] of again.entries()) expect(known(output), command).toBe(known(steps[i]![1]));
});
