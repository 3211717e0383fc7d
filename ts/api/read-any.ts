import { FORMATS } from '../formats/index.ts';
import type { ReadFiles } from './read.ts';
import { readerOf } from './read.ts';

/** Files of all formats. */
export const { read, inspectSource }: ReadFiles = readerOf(FORMATS);
