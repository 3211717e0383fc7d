import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { CommandError, EXIT, failure } from 'gru-wasm/command';
import { quote } from './oip/messages.ts';

/** Wrong words on the command line: the message is all that a user needs. */
export class UsageError extends CommandError {
  constructor(message: string, options?: ErrorOptions) {
    super(EXIT.usage, message, options);
  }
}

/** What a timer of Node's takes: of more it makes 1 ms. */
export const MOST_MILLISECONDS = 2 ** 31 - 1;

/** More make nothing faster, and each takes memory of its own before anything is asked of it. */
export const MOST_THREADS = Math.max(64, 4 * availableParallelism());

export const MOST_PORT = 65_535;

/** What a command takes: each option with its default and its meaning; a number with the most and the least (1) that it may be. */
export interface Words {
  numbers: Record<string, readonly [number, string, number?, number?]>;
  /** The third: the variable of the environment that says it too; what it holds is not in the list of processes. */
  texts: Record<string, readonly [string | undefined, string, string?]>;
  flags: Record<string, string>;
}

export interface Given<W extends Words> {
  positionals: string[];
  /** A whole number. @throws UsageError. */
  number: (name: keyof W['numbers'] & string) => number;
  text: <Name extends keyof W['texts'] & string>(name: Name) => string | (undefined & W['texts'][Name][0]);
  flag: (name: keyof W['flags'] & string) => boolean;
}

/** Reads the words of a command; `undefined` for `--help`. @throws UsageError. */
export function readWords<const W extends Words>(
  args: string[],
  words: W,
  env: NodeJS.ProcessEnv = process.env,
): Given<W> | undefined {
  const { values, positionals } = parse(args, words);
  if (values['help'] === true) return undefined;
  return {
    positionals,
    number(name) {
      const given = values[name];
      const [usual, , most = Number.MAX_SAFE_INTEGER, least = 1] = words.numbers[name]!;
      if (given === undefined) return usual;
      const value = Number(given);
      const isWhole = typeof given === 'string' && given !== '' && Number.isSafeInteger(value) && value >= least;
      if (isWhole && value <= most) return value;
      const range = isWhole ? ` up to ${most}` : ` from ${least} on`;
      throw new UsageError(`--${name} must be a whole number${range}, got ${quote(given)}`);
    },
    text(name) {
      const [usual, meaning, variable = ''] = words.texts[name]!;
      const given = (values[name] as string | undefined) ?? env[variable];
      if (given !== '') return (given ?? usual)!;
      throw new UsageError(`${values[name] === '' ? `--${name}` : variable} is empty: ${meaning}`);
    },
    flag: (name) => values[name] === true,
  };
}

/** The text of a file that an option names. @throws CommandError. */
export function readTextOf(option: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    // Of a folder the system does not say the path.
    const { line } = failure(Object.assign(cause as Error, { path }));
    throw new CommandError(EXIT.file, `--${option}: ${line}`, { cause });
  }
}

/** A line an option. */
export function helpOf({ numbers, texts, flags }: Words): string {
  const ofTexts = Object.entries(texts).map(([name, [usual, meaning, variable]]) => {
    const or = variable === undefined ? '' : ` (or ${variable})`;
    return line(name, meaning + or + (usual === undefined ? '' : ` (${usual})`));
  });
  const ofNumbers = Object.entries(numbers).map(([name, [usual, meaning]]) => line(name, `${meaning} (${usual})`));
  const lines = [...ofTexts, ...ofNumbers];
  return [...lines, ...Object.entries(flags).map(([name, meaning]) => line(name, meaning))].join('\n');
}

const line = (name: string, meaning: string) =>
  `  ${`--${name}${name in SHORT ? `, -${SHORT[name]!}` : ''}`.padEnd(26)}${meaning}`;

/** As `gru run` has them. */
const SHORT: Record<string, string> = { input: 'i', output: 'o' };

function parse(args: string[], { numbers, texts, flags }: Words) {
  const options: Record<string, { type: 'string' | 'boolean'; short?: string }> = {
    help: { type: 'boolean', short: 'h' },
  };
  for (const name of [...Object.keys(numbers), ...Object.keys(texts)]) {
    const short = SHORT[name];
    options[name] = { type: 'string', ...(short !== undefined && { short }) };
  }
  for (const name of Object.keys(flags)) options[name] = { type: 'boolean' };
  try {
    const parsed = parseArgs({ args, options, allowPositionals: true, tokens: true });
    checkOnce(
      parsed.tokens.flatMap((token) => (token.kind === 'option' && token.value !== undefined ? [token.name] : [])),
    );
    return parsed;
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    const unknown = code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION' ? /'(-[^']*)'/.exec(message)?.[1] : undefined;
    // Node's advice is how it would be no option.
    if (unknown === undefined) throw new UsageError(message, { cause: error });
    const near = nearest(
      unknown,
      Object.keys(options).map((name) => `--${name}`),
    );
    const advice = near === undefined ? '--help lists them' : `did you mean ${near}?`;
    throw new UsageError(`unknown option '${unknown}' (${advice})`, { cause: error });
  }
}

/** Of two files the first would be ignored; of other options the last counts, so that one more overrides what a script or image says. */
function checkOnce(names: readonly string[]): void {
  const twice = names.find((name, i) => Object.hasOwn(SHORT, name) && names.indexOf(name) !== i);
  if (twice !== undefined) throw new UsageError(`--${twice} is given twice: it takes one value`);
}

/** The word that is nearest to another, within two changes of it and fewer than half of its letters. */
function nearest(word: string, words: readonly string[]): string | undefined {
  let [found, least]: [string | undefined, number] = [undefined, Math.min(3, word.length / 2)];
  for (const other of words) {
    const changes = distance(word, other);
    if (changes < least) [found, least] = [other, changes];
  }
  return found;
}

/** Damerau and Levenshtein's: letters that are put in, left out, other ones, or in the other order. */
function distance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const above = rows[i - 1]!;
      const other = above[j - 1]! + Number(a[i - 1] !== b[j - 1]);
      row.push(Math.min(above[j]! + 1, row[j - 1]! + 1, other));
      if (a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) row[j] = Math.min(row[j]!, rows[i - 2]![j - 2]! + 1);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}
