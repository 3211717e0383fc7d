import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { prepare } from '../../scripts/release/prepare.mjs';
import { root } from '../package/tarball.ts';
import { printedByNode } from '../run-node.ts';

const read = (file: string) => readFileSync(join(root, file), 'utf8');
const texts = {
  packageJson: read('package.json'),
  lock: read('package-lock.json'),
  changelog: '# Changes\n\n## Unreleased\n\n- A thing.\n\n## 0.0.1 (2020-01-01)\n\n- Another.\n',
  readme: read('README.md'),
};
const release = { version: '3.2.1', repo: 'someone/gru-wasm', date: '2030-01-02' };

test('a release fills the placeholders and the version, and dates the changes', () => {
  const { packageJson, lock, changelog } = prepare(texts, release);
  expect(JSON.parse(packageJson)).toMatchObject({
    version: '3.2.1',
    homepage: 'https://github.com/someone/gru-wasm#readme',
    repository: { type: 'git', url: 'git+https://github.com/someone/gru-wasm.git' },
    bugs: { url: 'https://github.com/someone/gru-wasm/issues' },
  });
  expect(packageJson).not.toContain('OWNER');
  expect(JSON.parse(lock)).toMatchObject({ version: '3.2.1', packages: { '': { version: '3.2.1' } } });
  expect(changelog).toBe(
    '# Changes\n\n## Unreleased\n\n## 3.2.1 (2030-01-02)\n\n- A thing.\n\n## 0.0.1 (2020-01-01)\n\n- Another.\n',
  );
});

test("the links of npm's page lead to the repository, to files that are there", () => {
  const { readme } = prepare(texts, release);
  const links = [...readme.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link!);
  expect(links.length).toBeGreaterThan(20);
  for (const link of links) expect(link).toMatch(/^https:|^#/);
  const own = /^https:\/\/github\.com\/someone\/gru-wasm\/(?:blob|raw)\/v3\.2\.1\//;
  for (const link of links.filter((each) => own.test(each))) {
    expect(existsSync(join(root, link.replace(own, '').replace(/#.*/, ''))), link).toBe(true);
  }
  expect(readme).toMatch(/!\[[^\]]*\]\(https:\/\/github\.com\/someone\/gru-wasm\/raw\/v3\.2\.1\/bench/);
});

test.each([
  [{ ...release, version: 'next' }, /a version is needed/],
  [{ ...release, version: '0.0.1' }, /older than/],
  [{ ...release, repo: 'gru-wasm' }, /owner\/name/],
  [{ version: '3.2.1', date: '2030-01-02' }, /no repository yet/],
])('what is missing is said: %j', (given, message) => {
  expect(() => prepare(texts, given)).toThrow(message);
});

test('nothing to tell of is no release', () => {
  const changelog = '# Changes\n\n## Unreleased\n\n## 0.0.1 (2020-01-01)\n';
  expect(() => prepare({ ...texts, changelog }, release)).toThrow(/nothing under/);
});

test('a dry run: npm takes the package, and nothing here has changed', () => {
  const status = () => execFileSync('git', ['status', '--porcelain'], { cwd: root, encoding: 'utf8' });
  const before = [status(), read('package.json'), read('CHANGELOG.md')];
  const args = [join(root, 'scripts/release.mjs'), '99.0.0', '--repo', 'someone/gru-wasm', '--dry-run'];
  expect(printedByNode(args, { cwd: root })).toContain('dry run: v99.0.0');
  expect([status(), read('package.json'), read('CHANGELOG.md')]).toEqual(before);
  const staged = JSON.parse(read('target/consumers/release/package/package.json')) as { version: string };
  expect(staged.version).toBe('99.0.0');
  expect(read('target/consumers/release/package/README.md')).toContain('github.com/someone/gru-wasm/blob/v99.0.0/');
});
