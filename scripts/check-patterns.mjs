// Finds regular expressions of ts/ and server/ that take more than linear time of some text. Their texts come from model files
// and requests: 512 bytes of comments once took /^\s*(<!--[\s\S]*?-->\s*)*<html/ longer than anybody waits.
import { spawnSync } from 'node:child_process';
import { readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { check } from 'recheck';
import ts from 'typescript';
import { root } from './lib.mjs';

/** The regular expressions written in a source: `{ line, source, flags }`. */
export function patternsOf(text, name = 'x.ts') {
  const file = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true);
  const found = [];
  const visit = (node) => {
    if (ts.isRegularExpressionLiteral(node)) {
      const end = node.text.lastIndexOf('/');
      const { line } = file.getLineAndCharacterOfPosition(node.getStart());
      found.push({ line: line + 1, source: node.text.slice(1, end), flags: node.text.slice(end + 1) });
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

/** What is wrong with a pattern: how its time grows, and on what; undefined where it is linear. */
export async function problemOf({ source, flags }) {
  const { status, complexity, attack, error } = await check(source, flags, { timeout: 120_000 });
  if (status === 'safe') return undefined;
  if (status === 'unknown') return `not told: ${error?.kind}`;
  return `${complexity.summary} time, as on ${attack.pattern.slice(0, 200)}`;
}

async function main() {
  const { stdout } = spawnSync('git', ['ls-files', '-z', 'ts', 'server'], { cwd: root, encoding: 'utf8' });
  const files = stdout.split('\0').filter((name) => name.endsWith('.ts') && !name.includes('/tests/'));
  if (files.length === 0) throw new Error('git lists no files: this check needs a clone');
  let problems = 0;
  for (const name of files) {
    for (const pattern of patternsOf(readFileSync(join(root, name), 'utf8'), name)) {
      const problem = await problemOf(pattern);
      if (problem === undefined) continue;
      problems++;
      console.log(`${name}:${pattern.line}: /${pattern.source}/${pattern.flags}: ${problem}`);
    }
  }
  return problems === 0 ? 0 : 1;
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url))
  process.exitCode = await main();
