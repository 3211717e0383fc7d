import { GruError } from 'gru-wasm';
import { readServeOptions, SERVE_HELP, UsageError } from './options.ts';
import { startServer } from './serve.ts';

export type CommandName = 'serve';

const COMMANDS: Record<CommandName, (args: string[]) => Promise<number>> = {
  serve,
};

/**
 * Runs one of the commands of this package, as `gru NAME` does.
 *
 * @returns The exit code: 0, 1 for what failed, 2 for wrong words.
 */
export async function run(name: string, args: string[]): Promise<number> {
  try {
    if (!Object.hasOwn(COMMANDS, name)) throw new UsageError('this gru-wasm-server has no such command, only serve');
    return await COMMANDS[name as CommandName](args);
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`gru ${name}: ${error.message}`);
      return 2;
    }
    // Of what the outside gave: a file, a port, a server that does not answer.
    const isExpected = error instanceof GruError || (error instanceof Error && 'code' in error);
    console.error(isExpected ? `gru ${name}: ${error.message}` : error);
    return 1;
  }
}

/** Until SIGTERM or SIGINT. */
async function serve(args: string[]): Promise<number> {
  const options = readServeOptions(args);
  if (options === 'help') {
    console.log(SERVE_HELP);
    return 0;
  }
  const server = await startServer(options);
  await new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, resolve);
  });
  await server.close();
  return 0;
}
