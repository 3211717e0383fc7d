import { failure } from 'gru-wasm/command';
import { score } from './score/command.ts';
import { queue } from './score/queue-command.ts';
import { worker } from './score/worker-command.ts';
import { serve } from './serve-command.ts';
import { UsageError } from './words.ts';

const COMMANDS = { serve, score, worker, queue } satisfies Record<string, (args: string[]) => Promise<number>>;
type CommandName = keyof typeof COMMANDS;

/**
 * Runs one of the commands of this package, as `gru NAME` does.
 *
 * @returns The exit code, as `gru` has them.
 */
export async function run(name: string, args: string[]): Promise<number> {
  try {
    if (Object.hasOwn(COMMANDS, name)) return await COMMANDS[name as CommandName](args);
    throw new UsageError(`there is no such command, only ${Object.keys(COMMANDS).join(', ')}`);
  } catch (error) {
    const { exit, line } = failure(error);
    console.error(`gru ${name}: ${line}`);
    return exit;
  }
}
