import { toStdout } from './files/sink.ts';

/** Prints a text that ends with a line break. */
export async function print(text: string): Promise<void> {
  await toStdout(Buffer.from(text.endsWith('\n') ? text : `${text}\n`));
}

/** Prints JSON. Of infinities and NaN it has none, and a null would be less than any tolerance: they are the texts "Infinity", "-Infinity" and "NaN". */
export async function printJson(value: unknown): Promise<void> {
  const said = (_: string, part: unknown) => (typeof part === 'number' && !Number.isFinite(part) ? String(part) : part);
  await print(JSON.stringify(value, said, 2));
}
