import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { readServeOptions } from '../src/options.ts';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
/** Of a Python that has kubernetes-validate: `GRU_PYTHON`, or the machine's own. */
const python = process.env['GRU_PYTHON'] ?? 'python3';
const hasValidator = spawnSync(python, ['-c', 'import kubernetes_validate']).status === 0;

test.skipIf(!hasValidator)('manifests are what Kubernetes takes, and ask for health where it is', () => {
  const { stdout, stderr } = spawnSync(python, [at('clients/manifests.py'), at('../deploy')], { encoding: 'utf8' });
  expect(stdout, stderr).toBe('ok\n');
});

test('what images are started with are words of the command, and the version is this one', () => {
  const { version } = JSON.parse(readFileSync(at('../package.json'), 'utf8')) as { version: string };
  let started = 0;
  for (const name of readdirSync(at('../deploy'))) {
    const text = readFileSync(at(`../deploy/${name}`), 'utf8');
    expect(text, name).toMatch(new RegExp(`(VERSION=|gru-wasm-server:)${version}`));
    for (const [, list] of text.matchAll(/^ +args: \[(.*=\/.*)\]$/gm)) {
      const words = list!.split(', ').map((word) => word.replaceAll("'", '').replace('{{.Name}}', 'model'));
      const known = words.filter((word) => word !== '--api-keys' && word !== '/keys/keys');
      started++;
      expect(readServeOptions(known, {}), list).toHaveProperty('models.length', 1);
    }
  }
  expect(started).toBe(2);
  expect(readFileSync(at('../deploy/Dockerfile'), 'utf8')).toMatch(/"serve", "--host", "0\.0\.0\.0"\]\n$/);
});
