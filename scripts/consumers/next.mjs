import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { parts, printed, project, tool } from './lib.mjs';
import { visit } from './visit.mjs';

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

const NEXT = tool('next', 'dist', 'bin', 'next');
const env = { NEXT_TELEMETRY_DISABLED: '1' };

async function build(cwd) {
  const built = await printed(process.execPath, [NEXT, 'build'], { cwd, env });
  if (/critical dependency|module not found/i.test(built)) throw new Error(built.slice(-1500));
}

/** Builds a project and starts it, or starts it for development: what `use`, given its address and what it has said, gives. */
export async function served(cwd, use, command = 'start') {
  rmSync(join(cwd, '.next'), { recursive: true, force: true });
  if (command === 'start') await build(cwd);
  const port = await freePort();
  const server = spawn(process.execPath, [NEXT, command, '-p', port], { cwd, env: { ...process.env, ...env } });
  let said = '';
  for (const stream of [server.stdout, server.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text));
  const ended = new Promise((resolve) => server.on('close', resolve));
  try {
    while (!said.includes('Ready')) {
      if (server.exitCode !== null) throw new Error(said.slice(-1500));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return await use(`http://localhost:${port}/`, () => said);
  } finally {
    server.kill();
    await ended;
  }
}

/** By Turbopack: Next 16.4.6 by webpack cannot build an edge route, a trivial one neither. */
const next = (name, title, command) => ({
  name,
  title: `${title}: server component, client component, edge route`,
  parts: ['server', 'client', 'edge'],
  // Next's edge runtime compiles no bytes, and brings no modules from packages.
  backends: { edge: 'js' },
  run: () =>
    served(
      project('next'),
      async (url, said) => {
        const client = await visit(url);
        const edge = await (await fetch(`${url}edge`)).text();
        return [...parts(said()), ...client, ...parts(edge)];
      },
      command,
    ),
});

export const nexts = [next('next', 'Next', 'start'), next('next-dev', 'Next, development server', 'dev')];
