import { extname } from 'node:path';
import { UsageError } from '../../words.ts';
import { csv, tsv } from './csv.ts';
import type { SequenceFormat } from './format.ts';
import { ndjson } from './ndjson.ts';
import { parquet } from './parquet.ts';

export const FORMATS = { ndjson, csv, tsv, parquet } satisfies Record<string, SequenceFormat>;
export type FormatName = keyof typeof FORMATS;

/** The format of a file of sequences, as given or by its ending. @throws UsageError. */
export function formatOf(path: string, given: string | undefined, option: string): FormatName {
  const names = Object.keys(FORMATS) as FormatName[];
  const ending = extname(path).toLowerCase();
  const found = names.find((name) => (given === undefined ? FORMATS[name].endings.includes(ending) : name === given));
  if (found) return found;
  throw new UsageError(`${path}: add ${option} ${names.join('|')}${given === undefined ? '' : `, not ${given}`}`);
}
