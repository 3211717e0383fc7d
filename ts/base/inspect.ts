/** `util.inspect.custom`, without importing `node:util`: by it an object says what Node, Deno and Bun print of it. */
export const INSPECT: unique symbol = Symbol.for('nodejs.util.inspect.custom') as never;
