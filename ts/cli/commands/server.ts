import { CommandError, EXIT } from '../exit.ts';

/** Subcommands of the package gru-wasm-server. */
export const SERVER_COMMANDS = {
  serve: 'serve models over HTTP and gRPC',
  score: 'run a model over a file of any number of sequences',
  worker: 'take shards of such files from a queue',
  queue: 'show how far the shards of a queue are',
};

/** Not typed by its text: the compiler would look for its types. */
const PACKAGE = ['gru-wasm-server', 'commands'].join('/');

interface ServerCommands {
  run(name: string, args: string[]): Promise<number>;
}

/** The other package's commands; undefined: it is not installed. (A string to the compiler, which would look for its types.) */
async function load(): Promise<ServerCommands | undefined> {
  try {
    return (await import(PACKAGE)) as ServerCommands;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // Of a package that is there, what is missing in it is an error. The second is Yarn's, of Plug'n'Play.
    const missing = /'gru-wasm-server'|tried to access gru-wasm-server\b/.test(message);
    if ((code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') && missing) return undefined;
    throw error;
  }
}

export async function hasServer(): Promise<boolean> {
  return (await load()) !== undefined;
}

/** Runs a subcommand of the server's package. @returns Its exit code. */
export async function runServerCommand(name: string, args: string[]): Promise<number> {
  const commands = await load();
  if (commands) return commands.run(name, args);
  throw new CommandError(
    EXIT.notInstalled,
    `gru ${name} is a part of gru-wasm-server, which is not installed: npm install gru-wasm-server`,
  );
}
