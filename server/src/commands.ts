import { EXIT, failure } from 'gru-wasm/command';
import { score } from './score/command.ts';
import { queue } from './score/queue-command.ts';
import { worker } from './score/worker-command.ts';
import { serve } from './serve-command.ts';
import { VERSION } from './version.ts';
import { UsageError } from './words.ts';

const COMMANDS = { serve, score, worker, queue } satisfies Record<string, (args: string[]) => Promise<number>>;
type CommandName = keyof typeof COMMANDS;

const HELP = `gru-wasm-server COMMAND [options]

  serve     serve models by the Open Inference Protocol, over HTTP and gRPC
  score     run a model over a file of any number of sequences
  worker    take shards of such files from a queue
  queue     show how far the shards of a queue are

  gru-wasm-server COMMAND --help        the options of a command
  gru-wasm-server --version

With gru-wasm the same commands are those of gru: gru serve, gru score, ...`;

/**
 * The command `gru-wasm-server`: one of those of this package, or what it is.
 *
 * @returns The exit code, as `gru` has them.
 */
export async function main(args: readonly string[]): Promise<number> {
  const [word = '--help', ...rest] = args;
  if (word === 'help' && rest.length > 0 && rest[0] !== 'help') return run(rest[0]!, ['--help']);
  if (word === '--help' || word === '-h' || word === 'help') console.log(HELP);
  else if (word === '--version' || word === '-V') console.log(VERSION);
  else return run(word, rest, 'gru-wasm-server');
  return EXIT.done;
}

/**
 * Runs one of the commands of this package, as `gru NAME` does.
 *
 * @param program What it is called, where there is no such command.
 * @returns The exit code, as `gru` has them.
 */
export async function run(name: string, args: string[], program = 'gru'): Promise<number> {
  try {
    if (Object.hasOwn(COMMANDS, name)) return await COMMANDS[name as CommandName](args);
    throw new UsageError(`there is no such command, only ${Object.keys(COMMANDS).join(', ')} (${program} --help)`);
  } catch (error) {
    const { exit, line } = failure(error);
    console.error(`gru ${name}: ${line}`);
    return exit;
  }
}
