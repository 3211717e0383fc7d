import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { LAYERS as KERAS } from '../../ts/formats/keras/layers/index.ts';
import { OPERATIONS } from '../../ts/formats/keras/layers/operations.ts';
import { TRUTH } from '../../ts/formats/keras/layers/truth.ts';
import { OPERATORS } from '../../ts/formats/onnx/ops/index.ts';
import { KINDS as PYTORCH } from '../../ts/formats/pytorch/forms/index.ts';
import { KINDS as RTNEURAL } from '../../ts/formats/rtneural/kinds.ts';
import { LAYERS } from '../../ts/layers/full.ts';

const PAGE = new URL('../../docs/what-runs.md', import.meta.url);

/** What each list of the page holds. */
const LISTS: Record<string, string[]> = {
  keras: ['InputLayer', ...Object.keys(KERAS)],
  operations: Object.keys({ ...OPERATIONS, ...TRUTH }),
  pytorch: PYTORCH,
  onnx: Object.keys(OPERATORS),
  rtneural: Object.keys(RTNEURAL),
};

const list = (names: string[]) =>
  [...names]
    .sort()
    .map((name) => `\`${name}\``)
    .join(', ');

/** The page with its lists as the registries are. */
function written(page: string): string {
  return Object.entries(LISTS).reduce((text, [name, names]) => {
    const [start, end] = [`<!-- ${name} -->\n`, `<!-- /${name} -->`];
    expect(text, `the place of the list ${name}`).toContain(start);
    return text.slice(0, text.indexOf(start) + start.length) + `${list(names)}\n` + text.slice(text.indexOf(end));
  }, page);
}

test('docs/what-runs.md lists what the readers read (WRITE=1 writes it)', () => {
  const page = readFileSync(PAGE, 'utf8');
  if (process.env['WRITE']) writeFileSync(PAGE, written(page));
  else expect(page).toBe(written(page));
});

test('every kind of layer is in its table', () => {
  const page = readFileSync(PAGE, 'utf8');
  const table = page.slice(page.indexOf('| kind |'), page.indexOf('## Keras'));
  const named = [...table.matchAll(/^\| ((?:`\w+`(?:, )?)+) \|/gm)].flatMap(([, names]) => names!.match(/\w+/g)!);
  expect(named.sort()).toEqual(Object.keys(LAYERS).sort());
});
