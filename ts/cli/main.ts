import { Command, CommanderError } from 'commander';
import { benchCommand } from './commands/bench.ts';
import { compareCommand } from './commands/compare.ts';
import { completionCommand } from './commands/completion.ts';
import { convertCommand } from './commands/convert.ts';
import { doctorCommand } from './commands/doctor.ts';
import { explainCommand } from './commands/explain.ts';
import { inspectCommand } from './commands/inspect.ts';
import { runCommand } from './commands/run.ts';
import { runServerCommand, SERVER_COMMANDS } from './commands/server.ts';
import { CommandError, EXIT, failure } from './exit.ts';
import { Progress, styled, visible, wrapped } from './terminal.ts';

/** All of `gru`, for its help and for completion. */
export function program(version: string): Command {
  const gru = new Command('gru')
    .description(
      'Runs, inspects and compares recurrent models: GRU, LSTM and RNN of PyTorch, Keras, ONNX and TensorFlow.js.',
    )
    .version(version)
    .option('--debug', 'show the stack of an error')
    .helpCommand('help [command]', 'what --help prints, of a command too');
  for (const command of [
    inspectCommand(),
    runCommand(),
    convertCommand(),
    compareCommand(),
    benchCommand(),
    explainCommand(),
    doctorCommand(version),
    completionCommand(() => gru),
  ]) {
    gru.addCommand(command.option('--debug', 'show the stack of an error').showSuggestionAfterError());
  }
  const server = Object.entries(SERVER_COMMANDS).map(([name, text]) => `  ${name.padEnd(24)} ${text}`);
  gru.addHelpText(
    'after',
    `
With the package gru-wasm-server (npm install gru-wasm-server):
${server.join('\n')}

\`gru <command> --help\` has examples. Exit codes: ${Object.entries(EXIT)
      .map(([kind, code]) => `${code} ${kind.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)}`)
      .join(', ')}.`,
  );
  return gru;
}

/** Runs the command line. @returns The exit code. */
export async function main(args: string[], version: string): Promise<number> {
  const debug = args.includes('--debug');
  endWithStdout(debug);
  try {
    const server = serverCommand(args.filter((word) => word !== '--debug'));
    if (server) return await runServerCommand(...server);
    const gru = program(version);
    for (const command of [gru, ...gru.commands]) {
      command.exitOverride().configureOutput({
        outputError: () => undefined,
        // Of help and of the version.
        writeOut: (text) => process.stdout.write(wrapped(text)),
      });
    }
    if (args.length === 0) {
      gru.outputHelp();
      return EXIT.usage;
    }
    await gru.parseAsync(withHelp(gru, args), { from: 'user' });
    return Number(process.exitCode ?? EXIT.done);
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.done;
      // The help of all, which has been printed, for want of a command.
      if (error.code === 'commander.help') return EXIT.usage;
      return complain(EXIT.usage, error.message.replace(/^error: /, ''), error, debug);
    }
    const { exit, line } = failure(error);
    return complain(exit, line, error, debug);
  }
}

/** A command of the other package, and its words. */
function serverCommand([name = '', ...rest]: string[]): [string, string[]] | undefined {
  if (Object.hasOwn(SERVER_COMMANDS, name)) return [name, rest];
  return name === 'help' && Object.hasOwn(SERVER_COMMANDS, rest[0] ?? '') ? [rest[0]!, ['--help']] : undefined;
}

/** `gru help NAME` as `gru NAME --help`: of a name that is none, and of its own, commander prints the help of all as an error. */
function withHelp({ commands }: Command, args: string[]): string[] {
  const [first, name] = args.filter((word) => word !== '--debug');
  if (first !== 'help' || name === undefined || name.startsWith('-')) return args;
  if (name === 'help') return ['--help'];
  if (commands.some((command) => command.name() === name)) return [name, '--help'];
  throw new CommandError(EXIT.usage, `unknown command '${name}'`);
}

/** One line on stderr; with `--debug` the stack, and those of its causes. */
function complain(exit: number, line: string, error: unknown, debug: boolean): number {
  Progress.clear();
  const mark = styled('red', 'gru:', process.stderr);
  process.stderr.write(`${mark} ${oneLine(line)}\n`);
  for (let at = error; debug && at instanceof Error; at = at.cause) process.stderr.write(`${at.stack ?? at.message}\n`);
  if (exit === EXIT.defect && !debug) process.stderr.write('This is a defect: --debug shows where.\n');
  return exit;
}

function oneLine(text: string): string {
  return text
    .split('\n')
    .map((line) => visible(line.trim()))
    .filter((line) => line !== '')
    .join(' ');
}

/** Whoever reads stdout may have seen enough (`| head`): that is no error; a full disk is. */
function endWithStdout(debug: boolean): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.done);
    error.path = 'stdout';
    const { exit, line } = failure(error);
    process.exit(complain(exit, line, error, debug));
  });
  // There is no other place to say so.
  process.stderr.on('error', () => undefined);
}
