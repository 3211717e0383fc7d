import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { output, run, UserError } from './lib.mjs';

/** By name: what its executables are called, and the Debian package that has one. */
export const BROWSERS = {
  chromium: { commands: ['chromium', 'chromium-browser', 'google-chrome'], debian: 'chromium' },
  firefox: { commands: ['firefox', 'firefox-esr'], debian: 'firefox-esr' },
};

function find(command) {
  return process.env.PATH.split(delimiter)
    .map((folder) => join(folder, command))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/**
 * Where a browser is; installs it first where it is missing, and apt and root are at hand.
 * @param {'chromium' | 'firefox'} name
 * @returns {Promise<string>}
 */
export async function browserPath(name) {
  const { commands, debian } = BROWSERS[name];
  const found = () => commands.map(find).find(Boolean);
  if (found()) return found();
  if (process.getuid?.() !== 0 || !output('apt-get', '--version')) {
    throw new UserError(`${name} is missing: install it (Debian: apt-get install ${debian}), and run this again`);
  }
  console.log(`set-up: ${name}, by apt-get (may take 1 min)`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const quiet = { env, onText: () => {} };
  await run('apt-get', ['update', '-qq'], quiet);
  await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', debian], quiet);
  if (!found())
    throw new UserError(`apt-get could not install ${debian}: run \`apt-get install ${debian}\` to see why`);
  return found();
}
