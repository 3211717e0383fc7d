import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The server's command, as it is built. */
export const bin = fileURLToPath(new URL('../dist/bin.js', import.meta.url));
if (!existsSync(bin)) throw new Error('server/dist is missing: build it by `npm run build` in server/');
