import { isRecord } from '../../../base/tensor.ts';
import type { SpecBuilder } from '../builder.ts';
import { customNameOf } from '../config.ts';
import { Fields } from '../fields.ts';
import { uniqueNames } from '../h5-weights.ts';
import type { WeightGroup } from '../weights.ts';
import type { Cell } from './cell-kinds.ts';
import { CELLS } from './cell-kinds.ts';
import { GATES, readTextbookCell } from './textbook-cell.ts';

const SUPPORTED = Object.keys(CELLS).map((kind) => `${kind}Cell`);

/** The cells of a layer of class RNN: one, or several on top of each other. */
export function readCells(fields: Fields, builder: SpecBuilder, weights: WeightGroup): Cell[] {
  const cell = fields.take('cell');
  if (Array.isArray(cell)) return stack(cell as unknown[], fields, builder, weights.part('cell', ''));
  if (isRecord(cell) && cell['class_name'] === 'StackedRNNCells' && isRecord(cell['config'])) {
    const { cells, ...rest } = cell['config'];
    const name = typeof rest['name'] === 'string' ? rest['name'] : '';
    const inner = new Fields(`${fields.layer}: StackedRNNCells '${name}'`, rest);
    inner.expect('reverse_state_order', [false], 'states in reverse order');
    inner.finish();
    return stack(cells, fields, builder, weights.part('cell', name));
  }
  const name = nameOf(cell);
  return [readCell(cell, fields, builder, weights.part('cell', name))];
}

function nameOf(cell: unknown): string {
  const config = isRecord(cell) ? cell['config'] : undefined;
  return isRecord(config) && typeof config['name'] === 'string' ? config['name'] : '';
}

function stack(cells: unknown, fields: Fields, builder: SpecBuilder, weights: WeightGroup): Cell[] {
  if (!Array.isArray(cells) || cells.length === 0) throw fields.invalid('its cells are missing');
  const classes = (cells as unknown[]).map((cell) => (isRecord(cell) ? String(cell['class_name']) : ''));
  const folders = uniqueNames(classes);
  return (cells as unknown[]).map((cell, i) =>
    readCell(cell, fields, builder, weights.part(`cells/${folders[i]!}`, nameOf(cell)), `cell ${i}`),
  );
}

function readCell(cell: unknown, fields: Fields, builder: SpecBuilder, weights: WeightGroup, place = 'cell'): Cell {
  if (!isRecord(cell) || typeof cell['class_name'] !== 'string' || !isRecord(cell['config'])) {
    throw fields.invalid('its cell is missing');
  }
  const { class_name: className, config } = cell as { class_name: string; config: Record<string, unknown> };
  const custom = customNameOf(cell, className);
  const inner = new Fields(`${fields.layer}: ${place} ${className} '${nameOf(cell)}'`, config);
  if (custom === undefined && SUPPORTED.includes(className)) {
    const found = CELLS[className.replace(/Cell$/, '')]!(inner, builder, weights);
    inner.finish();
    return found;
  }
  if (GATES.every((gate) => weights.has(gate, gate))) return readTextbookCell(className, inner, builder, weights);
  throw fields.unsupported(
    `its cell is of class '${custom ?? className}'; supported: ${SUPPORTED.join(', ')}, and cells of three Dense layers named ${GATES.join(', ')}`,
  );
}
