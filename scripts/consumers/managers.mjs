import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { at } from '../lib.mjs';
import { nodeOf, outFolder, parts, printed, project, tool } from './lib.mjs';

/** Managers under which a package finds those alone that it names: its own, and the command, which looks for gru-wasm-server. */
const manager = (name, title, { install, node, gru, files = {} }) => ({
  name,
  title,
  parts: ['module', 'js'],
  async run() {
    const folder = outFolder(name);
    const tarball = at('target', 'consumers', 'tarball', 'gru-wasm.tgz');
    const manifest = { name, private: true, type: 'module', dependencies: { 'gru-wasm': `file:${tarball}` } };
    for (const [path, text] of Object.entries({ ...files, 'package.json': JSON.stringify(manifest) }))
      writeFileSync(join(folder, path), text);
    cpSync(project('model.mjs'), join(folder, 'model.mjs'));
    cpSync(project('node', 'esm.mjs'), join(folder, 'node', 'esm.mjs'));
    const run = (args) => printed(nodeOf(24), args, { cwd: folder, env: { CI: '' } });
    await run(install);
    const doctor = await run(gru);
    if (!doctor.includes('gru-wasm-server is not installed')) throw new Error(doctor);
    return parts(await run([...node, join('node', 'esm.mjs')]));
  },
});

const yarn = tool('@yarnpkg', 'cli-dist', 'bin', 'yarn.js');

export const managers = [
  manager('yarn-pnp', "Yarn 4, Plug'n'Play", {
    install: [yarn, 'install'],
    gru: [yarn, 'gru', 'doctor'],
    node: [yarn, 'node'],
    files: {
      'yarn.lock': '',
      '.yarnrc.yml': 'nodeLinker: pnp\nenableTelemetry: false\nenableGlobalCache: false\nenableNetwork: false\n',
    },
  }),
];
