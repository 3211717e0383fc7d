import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** Pronunciations of the words that no model was trained on, as train.py reads and splits them. */
export function testWords(folder: string): Map<string, string[][]> {
  const words = new Map<string, string[][]>();
  for (const line of readFileSync(`${folder}/index.js`, 'utf8').split('\n')) {
    const [, entry, phonemes] = /^\s*"((?:[^"\\]|\\.)*)":\s*"([^"]*)",?\s*$/.exec(line) ?? [];
    const word = entry?.replace(/\(\d+\)$/, '') ?? '';
    const reference = phonemes?.split('#')[0]!.split(/\s+/).filter(Boolean) ?? [];
    if (!/^[a-z']+$/.test(word) || reference.length === 0) continue;
    const hash = createHash('sha256').update(word).digest().readBigUInt64BE();
    if (hash % 100n >= 95n) words.set(word, [...(words.get(word) ?? []), reference]);
  }
  return words;
}

/** Edit distance. */
function distance(a: string[], b: string[]): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  a.forEach((x, i) => {
    const next = [i + 1];
    b.forEach((y, j) => next.push(Math.min(row[j + 1]! + 1, next[j]! + 1, row[j]! + +(x !== y))));
    row = next;
  });
  return row.at(-1)!;
}

/** Per cent: errors by phoneme, against the nearest pronunciation (the longer one of two as near), and by word. */
export function score(words: Map<string, string[][]>, toPhonemes: (word: string) => string[]) {
  let [edits, length, wrong] = [0, 0, 0];
  for (const [word, references] of words) {
    const said = toPhonemes(word);
    const near = references.map((reference) => ({ errors: distance(said, reference), length: reference.length }));
    const best = near.reduce((a, b) => (b.errors < a.errors || (b.errors === a.errors && b.length > a.length) ? b : a));
    edits += best.errors;
    length += best.length;
    wrong += +(best.errors > 0);
  }
  return { per: (100 * edits) / length, wer: (100 * wrong) / words.size };
}
