#!/usr/bin/env node
import { run } from './commands.ts';

const [name = '', ...args] = process.argv.slice(2);
process.exitCode = await run(name, args);
