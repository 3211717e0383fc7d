import { styleText } from 'node:util';

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

/** Rows of cells in columns; numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = rows.map((row) => row.map((cell) => (typeof cell === 'number' ? cell.toLocaleString('en') : cell)));
  const right = head.map((_, c) => rows.length > 0 && rows.every((row) => typeof row[c] === 'number'));
  const widths = head.map((title, c) => cells.reduce((most, row) => Math.max(most, row[c]!.length), title.length));
  const line = (row: readonly string[]) =>
    row
      .map((cell, c) => (right[c] ? cell.padStart(widths[c]!) : cell.padEnd(widths[c]!)))
      .join('  ')
      .trimEnd();
  return [styled('bold', line(head)), ...cells.map(line)].join('\n');
}

/** A title above a part of what is printed. */
export function section(title: string, body: string): string {
  return `${styled('cyan', title)}\n${body.replaceAll(/^(?=.)/gm, '  ')}\n`;
}

const WIDTH = 30;

/** A bar on stderr for work of a known size, drawn on a terminal only, and only when the work lasts. */
export class Progress {
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
    this.drawn = now;
    const share = Math.min(done / this.total, 1);
    const full = Math.round(share * WIDTH);
    const left = share > 0 ? ((now - this.start) / 1000 / share) * (1 - share) : 0;
    const bar = '█'.repeat(full) + '░'.repeat(WIDTH - full);
    process.stderr.write(`\r${bar} ${Math.floor(share * 100)} %, ${Math.ceil(left)} s left \x1b[K`);
  }

  /** Takes the bar away. */
  end(): void {
    if (this.drawn > 0) process.stderr.write('\r\x1b[K');
  }
}
