import { engineNamed } from '../engines/index.ts';
import { type Command, obey, type Order, Session } from '../session.ts';

/** Pages see time in steps of 5 to 100 microseconds (Chromium, isolated or not), 20 to 1000 (Firefox). */
const SAMPLE_MILLISECONDS = 4;
let session: Session | undefined;

/** Base64: puppeteer passes strings quickly, arrays of numbers slowly. */
function encoded(floats: Float32Array): string {
  const bytes = new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength);
  let text = '';
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}

Object.assign(globalThis, {
  async ask(engineName: string, command: Command, order: Order): Promise<string> {
    session ??= new Session(engineNamed(engineName), SAMPLE_MILLISECONDS);
    const reply = await obey(session, command, order);
    return JSON.stringify(reply, (_, value: unknown) =>
      value instanceof Float32Array ? { base64: encoded(value) } : value,
    );
  },
});
