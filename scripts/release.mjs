import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { at, main, output, run, UserError } from './lib.mjs';
import { outFolder } from './consumers/lib.mjs';
import { prepare } from './release/prepare.mjs';
import { quietly, setup } from './setup.mjs';

const HELP = `npm run release -- <version> [--repo <owner/name>] [--publish] [--dry-run]

Writes the version, the repository and the date into package.json and CHANGELOG.md, packs, commits and tags; pushing is yours.

  --repo <owner/name>  where the repository is, on GitHub: once, in place of the placeholders in package.json
  --publish            npm publish with provenance, which npm takes from CI alone (GitHub: permissions: id-token: write)
  --dry-run            change nothing here; npm says what it would publish`;

const FILES = {
  packageJson: 'package.json',
  lock: 'package-lock.json',
  changelog: 'CHANGELOG.md',
  readme: 'README.md',
};

/** What is published: the tarball with the texts of the release in it. */
async function stage(texts) {
  const folder = outFolder('release');
  await quietly('npm', ['pack', '--ignore-scripts', '--pack-destination', folder]);
  const [tarball] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  await quietly('tar', ['-xzf', join(folder, tarball), '-C', folder]);
  const staged = join(folder, 'package');
  for (const name of ['packageJson', 'changelog', 'readme']) writeFileSync(join(staged, FILES[name]), texts[name]);
  return staged;
}

async function must(command, args) {
  if ((await run(command, args)) !== 0) throw new UserError(`\`${[command, ...args].join(' ')}\` failed`);
}

await main(async () => {
  const { values, positionals } = parseArgs({
    options: {
      repo: { type: 'string' },
      publish: { type: 'boolean' },
      'dry-run': { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
    allowPositionals: true,
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const isDry = values['dry-run'] === true;
  const texts = Object.fromEntries(Object.entries(FILES).map(([name, file]) => [name, readFileSync(at(file), 'utf8')]));
  const date = new Date().toISOString().slice(0, 10);
  const release = prepare(texts, { version: positionals[0], repo: values.repo, date });
  const tag = `v${positionals[0]}`;
  if (output('git', 'tag', '--list', tag)) throw new UserError(`there is a tag ${tag} already`);
  if (!isDry && output('git', 'status', '--porcelain')) throw new UserError('commit what is changed first');
  await setup();
  const staged = await stage(release);
  if (isDry) {
    await must('npm', ['publish', staged, '--access', 'public', '--dry-run']);
    console.log(`dry run: ${tag} is in ${staged}; nothing here was changed`);
    return 0;
  }
  for (const name of ['packageJson', 'lock', 'changelog']) writeFileSync(at(FILES[name]), release[name]);
  await must('git', ['commit', '-qam', `chore(release): ${tag}`]);
  await must('git', ['tag', '-a', tag, '-m', tag]);
  if (values.publish) await must('npm', ['publish', staged, '--access', 'public', '--provenance']);
  console.log(
    `${tag}: now git push --follow-tags${values.publish ? '' : `, and npm publish ${staged} --provenance in CI`}`,
  );
  return 0;
});
