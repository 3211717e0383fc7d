#!/usr/bin/env node
import { run } from './commands.ts';

const [name, ...args] = process.argv.slice(2);
if (name === 'serve') process.exitCode = await run(name, args);
else {
  console.error('gru-wasm-server serve: see --help of it');
  process.exitCode = 2;
}
