import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { output } from '../../scripts/lib.mjs';
import { built } from '../built.ts';

const dist = built('dist/');
const entries = new Map(
  readFileSync(`${dist}THIRD-PARTY-LICENSES.txt`, 'utf8')
    .split('\n---\n')
    .map((entry) => [/Name: (.+)/.exec(entry)![1]!, entry]),
);
const TEXT = /Permission is hereby granted|Redistribution and use|Redistributions|conditions|public domain/i;

test('each npm package whose code is in dist is named, with a text', () => {
  const sources = (readdirSync(dist, { recursive: true }) as string[])
    .filter((name) => name.endsWith('.js.map'))
    .flatMap((name) => (JSON.parse(readFileSync(dist + name, 'utf8')) as { sources: string[] }).sources);
  const packages = new Set(sources.flatMap((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []));
  expect(packages).toContain('fflate');
  for (const name of packages) expect(entries.get(name), name).toMatch(TEXT);
  expect(entries.get('@bufbuild/protobuf')).toMatch(/Apache License[^]*Google Inc\.[^]*Redistribution and use/);
});

test('each crate whose code is in the wasm binaries is named, with a text', () => {
  const args = ['-p', 'gru-wasm-bindings', '--target', 'wasm32-unknown-unknown', '-e', 'normal,no-proc-macro'];
  const tree = output('cargo', 'tree', ...args, '--locked', '--prefix', 'none', '--format', '{p}')!;
  const names = new Set(tree.split('\n').map((line) => line.split(' ')[0]!));
  expect(names).toContain('talc');
  for (const name of names) if (!name.startsWith('gru-wasm')) expect(entries.get(name), name).toMatch(TEXT);
});
