import { expect } from 'vitest';

/** What was refused and why, `code: message`, of a GruError. */
export function wordsOf(error: unknown): string {
  expect(error).toMatchObject({ name: 'GruError' });
  const { code, message } = error as { code: string; message: string };
  expect(code, message).not.toBe('internal');
  return `${code}: ${message}`;
}

/** What a call is refused with. */
export function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return wordsOf(error);
  }
  return expect.fail('nothing was refused');
}

/** What a promise is refused with. */
export async function refusalOf(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => expect.fail('nothing was refused'),
    (e: unknown) => e,
  );
  return wordsOf(error);
}
