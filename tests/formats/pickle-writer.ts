/** Pickles for tests, as opcodes and their arguments in letters. */

/** The bytes of these letters' codes: pickles are written as Python shows them. */
export const bytes = (pickle: string) => Uint8Array.from(pickle, (letter) => letter.charCodeAt(0));
export const utf8 = (text: string) => String.fromCharCode(...new TextEncoder().encode(text));
export const u32 = (n: number) => String.fromCharCode(n & 255, (n >> 8) & 255, (n >> 16) & 255, n >>> 24);
export const u64 = (n: number) => u32(n) + u32(Math.floor(n / 2 ** 32));
export const key = (text: string) => `\x8c${String.fromCharCode(text.length)}${text}`;
export const ints = (...numbers: number[]) => `(${numbers.map((n) => `J${u32(n)}`).join('')}t`;

/** GLOBAL and REDUCE. */
export const call = (name: string, ...args: string[]) => {
  const dot = name.lastIndexOf('.');
  return `c${name.slice(0, dot)}\n${name.slice(dot + 1)}\n(${args.join('')}tR`;
};
export const global = (name: string) => call(name).slice(0, -3);
export const storage = ({ type = global('torch.FloatStorage'), id = key('k'), elements = 'K\x0c', view = '' } = {}) =>
  `(${key('storage')}${type}${id}${key('cpu')}${elements}${view}tQ`;
