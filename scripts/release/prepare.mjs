import { UserError } from '../lib.mjs';

const VERSION = /^(\d+)\.(\d+)\.(\d+)(-[\w.]+)?$/;
const REPO = /^[\w.-]+\/[\w.-]+$/;
/** What package.json has until a release says where the repository is. */
const PLACEHOLDER = /github\.com\/OWNER\/gru-wasm/g;

const isOlder = (a, b) => {
  const [x, y] = [a, b].map((version) => VERSION.exec(version).slice(1, 4).map(Number));
  const i = x.findIndex((part, at) => part !== y[at]);
  return i >= 0 && x[i] < y[i];
};

/**
 * The texts of a release.
 * @param {{ packageJson: string, lock: string, changelog: string, readme: string }} texts Those of the working tree
 * @param {{ version: string, repo?: string, date: string }} release `repo`: owner/name on GitHub, once; package.json keeps it
 * @returns {{ packageJson: string, lock: string, changelog: string, readme: string }} The same; `readme` is the package's alone: npm's page
 *   has no files beside it
 */
export function prepare({ packageJson, lock, changelog, readme }, { version, repo, date }) {
  if (!VERSION.test(version ?? '')) throw new UserError(`a version is needed, as 1.2.3 or 1.2.3-rc.1, not ${version}`);
  if (repo !== undefined && !REPO.test(repo)) throw new UserError(`--repo must be owner/name, not ${repo}`);
  const before = JSON.parse(packageJson).version;
  if (isOlder(version, before)) throw new UserError(`${version} is older than ${before}, which package.json has`);
  const filled = repo ? packageJson.replace(PLACEHOLDER, `github.com/${repo}`) : packageJson;
  if (PLACEHOLDER.test(filled)) throw new UserError('package.json has no repository yet: --repo owner/name');
  const { repository } = JSON.parse(filled);
  const home = repository.url.replace(/^git\+/, '').replace(/\.git$/, '');
  return {
    packageJson: filled.replace(`"version": "${before}"`, `"version": "${version}"`),
    // Its own version stands twice before those of others.
    lock: lock
      .replace(`"version": "${before}"`, `"version": "${version}"`)
      .replace(`"version": "${before}"`, `"version": "${version}"`),
    changelog: released(changelog, version, date),
    readme: absolute(readme, `${home}/blob/v${version}/`, `${home}/raw/v${version}/`),
  };
}

function released(changelog, version, date) {
  const [head, rest] = changelog.split(/^## Unreleased\n/m);
  const [notes = ''] = (rest ?? '').split(/^## /m);
  if (notes.trim() === '') throw new UserError('CHANGELOG.md has nothing under "## Unreleased"');
  return `${head}## Unreleased\n\n## ${version} (${date})\n${rest}`;
}

/** Links to files of the repository as addresses. */
function absolute(markdown, files, images) {
  return markdown.replace(/(!?)(\[[^\]]*\])\((?!https?:|#)([^)\s]+)\)/g, (_, image, text, path) => {
    return `${image}${text}(${image ? images : files}${path})`;
  });
}
