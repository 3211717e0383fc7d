import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
export const BIN = at('../dist/bin.js');
export const GENERATE = at('../../examples/throughput/generate.mjs');

/** Before the measurements: above 0.1 there were others on the machine. */
const load = loadavg()[0].toFixed(1);

/** What measurements depend on, in a line. */
export function machine() {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: at('.'), encoding: 'utf8' }).trim();
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  return `${cpus()[0].model.trim()}, ${cpus().length} threads, ${memory}, Node ${process.versions.node}, load ${load} before, commit ${commit}`;
}

/** A table in Markdown. */
export function table(head, rows) {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Writes bench/records/DATE-server-NAME.md, or prints it. */
export function record(name, text, write) {
  console.log(text);
  if (!write) return;
  const date = new Date().toISOString().slice(0, 10);
  const path = at(`../../bench/records/${date}-server-${name}.md`);
  writeFileSync(path, `${text}\n`);
  console.log(`written: ${path}`);
}
