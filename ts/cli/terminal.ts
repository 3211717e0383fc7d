import { WriteStream } from 'node:tty';
import { styleText } from 'node:util';
import stringWidth from 'string-width';
import { atEnd } from './cleanup.ts';

type Style = Parameters<typeof styleText>[0];

/** Whether text on this stream may have colours: a terminal, and neither NO_COLOR (https://no-color.org) nor TERM=dumb. */
export function hasColours(stream: NodeJS.WriteStream = process.stdout): boolean {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
  if (NO_COLOR !== undefined && NO_COLOR !== '') return false;
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== '') return FORCE_COLOR !== '0';
  return stream.isTTY && TERM !== 'dumb';
}

/** Bits of the colours that a terminal has: 4, 8 or 24; FORCE_COLOR=1, 2 or 3 says so too. */
export const colourDepth = (): number => WriteStream.prototype.getColorDepth();

/** The text in a style, where stdout (or the stream given) has colours. */
export function styled(style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  // Whether there are colours has been decided here: Node 20's styleText does not ask, later ones ask stdout.
  return hasColours(stream) ? styleText(style, text, { validateStream: false }) : text;
}

/**
 * Text of others' making, such as a name in a model file, without what a terminal would obey: control characters, line and paragraph separators, and what
 * turns the direction of the text that follows, so that it reads as another.
 */
export function visible(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, '\ufffd');
}

/** Columns of text that has no place to be broken at are not made narrower than this for a terminal. */
const NARROW = 8;

/** What a cell is broken between: words, parts of names and paths, but not within numbers. */
const words = (text: string) => text.split(/(?<=[ /_,:]|[.-](?!\d))/);

/**
 * Rows of cells in columns, by the columns that a terminal gives them (two for a Chinese character, or an emoji); numbers to the right. On a terminal
 * long cells go on below, in their column; elsewhere a row is a line.
 *
 * @param indent Columns before it that are somebody else's.
 */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[], indent = 0): string {
  const cells = rows.map((row) =>
    row.map((cell) => (typeof cell === 'number' ? cell.toLocaleString('en') : visible(cell))),
  );
  const right = head.map((_, c) => rows.length > 0 && rows.every((row) => typeof row[c] === 'number'));
  const widths = head.map((title, c) =>
    cells.reduce((most, row) => Math.max(most, stringWidth(row[c]!)), stringWidth(title)),
  );
  const least = head.map((title, c) =>
    right[c]
      ? widths[c]!
      : [title, ...cells.map((row) => row[c]!)]
          .flatMap(words)
          .reduce((most, word) => Math.max(most, stringWidth(word.trimEnd())), 1),
  );
  const total = (of: number[], gap: number) => of.reduce((sum, width) => sum + width + gap, -gap);
  const available = room() - indent;
  const gap = total(least, 2) > available ? 1 : 2;
  narrow(widths, least, total(widths, gap) - available);
  narrow(
    widths,
    least.map((width, c) => (right[c] ? width : Math.min(width, NARROW))),
    total(widths, gap) - available,
  );
  const lines = (row: readonly string[]) => {
    const parts = row.map((cell, c) => pieces(cell, widths[c]!));
    return Array.from({ length: parts.reduce((most, { length }) => Math.max(most, length), 1) }, (_, i) =>
      parts
        .map((of, c) => {
          const part = of[i] ?? '';
          const blanks = ' '.repeat(Math.max(widths[c]! - stringWidth(part), 0));
          return right[c] ? blanks + part : part + blanks;
        })
        .join(' '.repeat(gap))
        .trimEnd(),
    );
  };
  return [...lines(head).map((line) => styled('bold', line)), ...cells.flatMap(lines)].join('\n');
}

/** Takes so many columns in all from the widest, as far as they may be narrower. */
function narrow(widths: number[], least: readonly number[], over: number): void {
  for (let left = over; left > 0; left--) {
    let widest = -1;
    for (const [c, width] of widths.entries()) if (width > least[c]! && width > (widths[widest] ?? 0)) widest = c;
    if (widest < 0) return;
    widths[widest]!--;
  }
}

/** A text in pieces of so many columns: of whole words, where they are no longer. */
function pieces(text: string, width: number): string[] {
  if (stringWidth(text) <= width) return [text];
  const found: string[] = [];
  let piece = '';
  const add = (part: string) => {
    if (piece !== '' && stringWidth(piece + part.trimEnd()) > width) {
      found.push(piece.trimEnd());
      piece = '';
    }
    piece += part;
  };
  for (const word of words(text)) {
    if (stringWidth(word.trimEnd()) <= width) add(word);
    else for (const { segment } of new Intl.Segmenter().segment(word)) add(segment);
  }
  return [...found, piece.trimEnd()];
}

/** A title above a part of what is printed. */
export function section(title: string, body: string): string {
  return `${styled('cyan', title)}\n${body.replaceAll(/^(?=.)/gm, '  ')}\n`;
}

/** Columns of the terminal; of what is no terminal as many as there mostly are. */
export function columns(): number {
  // A terminal of unknown size says 0.
  return (process.stdout.isTTY && process.stdout.columns) || 80;
}

/** Columns that a line may take: what goes to no terminal is for programs, and as long as it is. */
const room = () => (process.stdout.isTTY ? columns() : Infinity);

/** Lines within so many columns, broken between words. */
function broken(text: string, width: number): string {
  return text.replaceAll(new RegExp(`(.{1,${width}})(?: +|$)`, 'gm'), '$1\n').trimEnd();
}

/** Help within the terminal's columns; lines that are indented stay, for they are copied. */
export function wrapped(text: string): string {
  return text
    .split('\n')
    .map((line) => (line.length > columns() && !line.startsWith(' ') ? broken(line, columns()) : line))
    .join('\n');
}

/** Lines of text, on a terminal broken between words; `indent` columns are somebody else's. */
export function prose(lines: readonly string[], indent = 0): string {
  const width = Math.max(room() - indent, 1);
  return lines.map((line) => (visible(line).length > width ? broken(visible(line), width) : visible(line))).join('\n');
}

const WIDTH = 30;

const erase = () => process.stderr.write('\r\x1b[K');

/** A bar on stderr for work of a known size, drawn on a terminal only, and only when the work lasts. */
export class Progress {
  /** Where it is drawn: what takes it away however the process ends. */
  private static forget: (() => void) | undefined;
  private readonly total: number;
  private readonly start = performance.now();
  private drawn = 0;

  /** @param total What {@link update} reaches; 0 where that is not known: no bar. */
  constructor(total: number) {
    this.total = process.stderr.isTTY && process.env['TERM'] !== 'dumb' ? total : 0;
  }

  update(done: number): void {
    const now = performance.now();
    if (this.total === 0 || now - this.start < 500 || now - this.drawn < 100) return;
    this.drawn = now;
    // However the process ends, the bar is not what the prompt stands behind.
    Progress.forget ??= atEnd(erase);
    const share = Math.min(done / this.total, 1);
    const left = share > 0 ? ((now - this.start) / 1000 / share) * (1 - share) : 0;
    const text = `${Math.floor(share * 100)} %, ${Math.ceil(left)} s left`;
    // Within one line: what the next one goes on in is not taken away. (A terminal of unknown size says 0.)
    const width = Math.max(Math.min(WIDTH, (process.stderr.columns || 80) - text.length - 2), 0);
    const full = Math.round(share * width);
    process.stderr.write(`\r${'█'.repeat(full)}${'░'.repeat(width - full)} ${text}\x1b[K`);
  }

  end(): void {
    Progress.clear();
  }

  /** Takes the bar away: the work is done, or something else is written. */
  static clear(): void {
    if (Progress.forget) erase();
    Progress.forget?.();
    Progress.forget = undefined;
  }
}
