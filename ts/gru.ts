#!/usr/bin/env node
/** The command `gru`. Its parts are imported after the look at Node: of what an old one lacks the first import would say something else. */
import { readFileSync } from 'node:fs';
import { checkHost } from './base/host.ts';
import { GruError } from './base/errors.ts';

async function run(): Promise<number> {
  try {
    checkHost();
  } catch (error) {
    if (!(error instanceof GruError)) throw error;
    process.stderr.write(`gru: ${error.message}\n`);
    return 6; // EXIT.host, which is among what is imported below.
  }
  const { main } = await import('./cli/main.ts');
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return main(process.argv.slice(2), version);
}

process.exitCode = await run();
