import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The path of what `npm run setup` builds, given from the root. @throws Error that names the command where it is missing. */
export function built(path: string): string {
  const file = fileURLToPath(new URL(`../${path}`, import.meta.url));
  if (!existsSync(file)) throw new Error(`${path} is missing: build it by \`npm run setup\``);
  return file;
}

/** A binary of the core: `baseline`, `relaxed`, `core-baseline` or `core-relaxed`. */
export const wasmFile = (name = 'baseline') => built(`crate/pkg/${name}/gru_wasm_bg.wasm`);
