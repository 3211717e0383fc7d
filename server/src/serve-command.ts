import { readServeOptions, SERVE_HELP } from './options.ts';
import { startServer } from './serve.ts';

/** `gru serve`: until SIGTERM or SIGINT. */
export async function serve(args: string[]): Promise<number> {
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
