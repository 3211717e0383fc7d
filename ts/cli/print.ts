import { toStdout } from './files/sink.ts';

/** Prints a text that ends with a line break. */
export async function print(text: string): Promise<void> {
  await toStdout(Buffer.from(text.endsWith('\n') ? text : `${text}\n`));
}
