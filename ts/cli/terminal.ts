import { styleText } from 'node:util';
import stringWidth from 'string-width';

type Style = Parameters<typeof styleText>[0];

/** Whether text on this stream may have colours: a terminal, and neither NO_COLOR (https://no-color.org) nor TERM=dumb. */
export function hasColours(stream: NodeJS.WriteStream = process.stdout): boolean {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
  if (NO_COLOR !== undefined && NO_COLOR !== '') return false;
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== '') return FORCE_COLOR !== '0';
  return stream.isTTY && TERM !== 'dumb';
}

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

/** Rows of cells in columns, by the columns that a terminal gives them (two for a Chinese character, or an emoji); numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = rows.map((row) =>
    row.map((cell) => (typeof cell === 'number' ? cell.toLocaleString('en') : visible(cell))),
  );
  const right = head.map((_, c) => rows.length > 0 && rows.every((row) => typeof row[c] === 'number'));
  const columnsOf = head.map((title, c) =>
    cells.reduce((most, row) => Math.max(most, stringWidth(row[c]!)), stringWidth(title)),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, c) => {
        const blanks = ' '.repeat(columnsOf[c]! - stringWidth(cell));
        return right[c] ? blanks + cell : cell + blanks;
      })
      .join('  ')
      .trimEnd();
  return [styled('bold', line(head)), ...cells.map(line)].join('\n');
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

/** Lines within the terminal's columns, broken between words; those that are indented stay, for they are copied. */
export function wrapped(text: string): string {
  const break_ = (line: string) => line.replaceAll(new RegExp(`(.{1,${columns()}})(?: +|$)`, 'g'), '$1\n').trimEnd();
  return text
    .split('\n')
    .map((line) => (line.length > columns() && !line.startsWith(' ') ? break_(line) : line))
    .join('\n');
}

const WIDTH = 30;

/** A bar on stderr for work of a known size, drawn on a terminal only, and only when the work lasts. */
export class Progress {
  private static shown = false;
  private readonly total: number;
  private readonly start = performance.now();
  private drawn = 0;

  /** @param total What {@link update} reaches; 0 where that is not known: no bar. */
  constructor(total: number) {
    this.total = process.stderr.isTTY ? total : 0;
  }

  update(done: number): void {
    const now = performance.now();
    if (this.total === 0 || now - this.start < 500 || now - this.drawn < 100) return;
    // However the process ends, the bar is not what the prompt stands behind.
    if (this.drawn === 0)
      process.once('exit', () => {
        Progress.clear();
      });
    this.drawn = now;
    Progress.shown = true;
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
    if (Progress.shown) process.stderr.write('\r\x1b[K');
    Progress.shown = false;
  }
}
