import type { Tensor } from '../base/tensor.ts';
import { escaped, svg } from './svg.ts';
import { colourDepth, columns as terminalColumns, hasColours, styled } from './terminal.ts';

/** Most columns of a map in the terminal, and most units of each value. */
const COLUMNS = 64;
const UNITS = 16;

const SHADES = ' ░▒▓█';

/** Values of the first sequence, steps to the right, units down: 0 to 1 for gates, -1 to 1 for states. */
interface Map {
  steps: number;
  units: number;
  signed: boolean;
  at: (step: number, unit: number) => number;
}

function mapOf({ data, shape }: Tensor): Map {
  const [steps, units] = shape.slice(-2) as [number, number];
  let signed = false;
  for (let i = 0; i < steps * units; i++) signed ||= data[i]! < 0;
  return { steps, units, signed, at: (step, unit) => data[step * units + unit]! };
}

/** Maps for the terminal: where there are more steps or units than fit, the mean of those that share a cell. */
export function heatText(tensors: Record<string, Tensor>): string {
  return Object.entries(tensors)
    .map(([name, tensor]) => {
      const map = mapOf(tensor);
      if (map.steps === 0) return `${name}: no steps, nothing to draw`;
      const [columns, rows] = [Math.min(map.steps, COLUMNS, terminalColumns()), Math.min(map.units, UNITS)];
      const lines = Array.from({ length: rows }, (_, row) =>
        Array.from({ length: columns }, (_, column) =>
          cell(mean(map, column / columns, (column + 1) / columns, row / rows, (row + 1) / rows), map.signed),
        ).join(''),
      );
      return `${name}: ${map.units} units, ${map.steps} steps, ${map.signed ? '-1 to 1' : '0 to 1'}\n${lines.join('\n')}`;
    })
    .join('\n\n');
}

function mean({ steps, units, at }: Map, t0: number, t1: number, u0: number, u1: number): number {
  let [sum, count] = [0, 0];
  for (let t = Math.floor(t0 * steps); t < Math.max(Math.floor(t1 * steps), Math.floor(t0 * steps) + 1); t++) {
    for (let u = Math.floor(u0 * units); u < Math.max(Math.floor(u1 * units), Math.floor(u0 * units) + 1); u++) {
      sum += at(t, u);
      count++;
    }
  }
  return sum / count;
}

/** A cell: in colours blue below 0 and red above, where there are few of them or none in shades of the magnitude. */
function cell(value: number, signed: boolean): string {
  const size = Math.min(Math.abs(value), 1);
  const shade = SHADES[Math.round(size * (SHADES.length - 1))]!;
  if (!hasColours()) return signed && value < 0 && shade !== ' ' ? '-' : shade;
  const depth = colourDepth();
  if (depth < 8) return styled(value < 0 ? 'blue' : 'red', shade);
  const [r, g, b] = colour(value);
  // A terminal of 256 colours has a cube of 6 x 6 x 6 from 16 on.
  const [x, y, z] = [r, g, b].map((part) => Math.round(part / 51)) as [number, number, number];
  return depth < 24 ? `\x1b[48;5;${16 + 36 * x + 6 * y + z}m \x1b[0m` : `\x1b[48;2;${r};${g};${b}m \x1b[0m`;
}

/** White at 0, red at 1, blue at -1. */
function colour(value: number): [number, number, number] {
  const fade = Math.round(255 * (1 - Math.min(Math.abs(value), 1)));
  return value < 0 ? [fade, fade, 255] : [255, fade, fade];
}

const CELL = 8;
/** Most cells a side of an SVG. */
const SIDE = 256;

/** The same maps as a picture, one below the other. */
export function heatSvg(title: string, tensors: Record<string, Tensor>): string {
  const body = [`<text x="10" y="20">${escaped(title)}</text>`];
  let [y, widest] = [40, 400];
  for (const [name, tensor] of Object.entries(tensors)) {
    const map = mapOf(tensor);
    const [columns, rows] = [Math.min(map.steps, SIDE), Math.min(map.units, SIDE)];
    body.push(
      `<text x="10" y="${y}">${escaped(name)} (${map.units} units down, ${map.steps} steps to the right, ${map.signed ? '-1 to 1' : '0 to 1'})</text>`,
    );
    y += 8;
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const value = mean(map, column / columns, (column + 1) / columns, row / rows, (row + 1) / rows);
        const fill = colour(value)
          .map((part) => part.toString(16).padStart(2, '0'))
          .join('');
        body.push(
          `<rect x="${10 + column * CELL}" y="${y + row * CELL}" width="${CELL}" height="${CELL}" fill="#${fill}"/>`,
        );
      }
    }
    widest = Math.max(widest, 20 + columns * CELL);
    y += rows * CELL + 24;
  }
  return svg(widest, y, body);
}
