// Imported before a program: kills it as it comes to the nth call of a function that writes, half of whose bytes are on the disk then.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { fileURLToPath } from 'node:url';

const [name, nth] = process.env.KILLED_AT.split(' ');
const file = await fs.promises.open(fileURLToPath(import.meta.url));
const owner = name in fs.promises && name !== 'writeFile' ? fs.promises : Object.getPrototypeOf(file);
await file.close();

const whole = owner[name];
let calls = 0;
owner[name] = async function (...of) {
  if (++calls < Number(nth)) return whole.apply(this, of);
  if (name === 'writev') await this.write(of[0][0].subarray(0, of[0][0].length / 2), 0, undefined, of[1]);
  if (name === 'writeFile') await whole.call(this, of[0].slice(0, of[0].length / 2));
  process.kill(process.pid, 'SIGKILL');
  return new Promise(() => undefined);
};
syncBuiltinESMExports();
