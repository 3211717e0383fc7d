import { activationNamed } from './activation.ts';

/** What moves axes only, or does something in training only. */
const NO_LINE = [
  'contiguous',
  'detach',
  'dropout',
  'expand',
  'identity',
  'permute',
  'squeeze',
  'transpose',
  'unsqueeze',
];

/** PyTorch's functions by lines of another name. */
const LINES: Record<string, string> = {
  add: 'sum',
  bmm: 'matmul',
  cat: 'concat',
  multiply: 'mul',
  subtract: 'sub',
  divide: 'div',
};

/** What to write in place of a field that names no line, by its name in PyTorch; undefined: that is not known. */
export function insteadOf(field: string, kinds: readonly string[]): string | undefined {
  const plain = field
    .slice(field.lastIndexOf('.') + 1)
    .toLowerCase()
    .replaceAll('_', '');
  if (NO_LINE.includes(plain)) return 'leave it out';
  const kind =
    LINES[plain] ??
    kinds.find((name) => [name.toLowerCase(), `${name}1d`, `${name}cell`].includes(plain) || name === `${plain}1d`);
  if (kind !== undefined) return `write '${kind}'`;
  const activation = activationNamed(plain);
  return activation === undefined ? undefined : `write { activation: '${activation}' }`;
}
