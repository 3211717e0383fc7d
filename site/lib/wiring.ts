/** A line of `pytorch.layers` in the table: what it is, and whether it is used. */
export interface Line {
  layer: Record<string, unknown>;
  on: boolean;
}

/** What a module may be. */
export const MODULES = [
  ...['gru', 'lstm', 'rnn', 'linear', 'embedding', 'conv1d', 'batchnorm', 'layernorm', 'rmsnorm', 'groupnorm', 'prelu'],
  'multiheadAttention',
] as const;

/** Lines without a module that can be put in. */
export const OPERATIONS: Record<string, (before: readonly string[]) => Record<string, unknown>> = {
  'the last step': () => ({ step: -1 }),
  'the first step': () => ({ step: 0 }),
  'the mean of the steps': () => ({ mean: 'time' }),
  'the largest of the steps': () => ({ max: 'time' }),
  tanh: () => ({ activation: 'tanh' }),
  relu: () => ({ activation: 'relu' }),
  'attention: one line weighs the steps of another': (before) => ({
    attention: before.slice(-2).toReversed(),
  }),
  'the sum of two lines': (before) => ({ sum: before.slice(-2) }),
  'two lines side by side': (before) => ({ concat: before.slice(-2) }),
};

export const kindOf = ({ layer }: Line): string => Object.keys(layer)[0] ?? '';
/** The name of a line's module; undefined for an operation. */
export function moduleOf(line: Line): string | undefined {
  const [kind, value] = Object.entries(line.layer)[0] ?? [];
  return (MODULES as readonly (string | undefined)[]).includes(kind) && typeof value === 'string' ? value : undefined;
}

/** What other lines call it: its `name`, or that of its module. */
export const nameOf = (line: Line): string | undefined => (line.layer['name'] as string | undefined) ?? moduleOf(line);

/** The names of the lines that an operation of several reads; undefined for all others. */
export function partsOf(line: Line): string[] | undefined {
  const value = line.layer[kindOf(line)];
  return Array.isArray(value) && value.every((part) => typeof part === 'string') ? value : undefined;
}

/** An operation of several lines with another one of them. */
export const withPart = (line: Line, index: number, name: string): Line => ({
  ...line,
  layer: { ...line.layer, [kindOf(line)]: partsOf(line)!.with(index, name) },
});

/** The same module, as another kind: its other fields belong to the kind that it was. */
export function withKind(line: Line, kind: string): Line {
  const { name, from } = line.layer;
  return { ...line, layer: { [kind]: moduleOf(line), ...(name ? { name } : {}), ...(from ? { from } : {}) } };
}

/** A field of a line set, or left out where it is ''. */
export function withField(line: Line, field: string, value: string): Line {
  const layer = Object.fromEntries(Object.entries(line.layer).filter(([key]) => key !== field));
  return { ...line, layer: value === '' ? layer : { ...layer, [field]: value } };
}

/** A line's place changed with that of the one above or below. */
export function moved(lines: readonly Line[], index: number, by: 1 | -1): Line[] {
  const other = lines[index + by];
  return other ? lines.with(index, other).with(index + by, lines[index]!) : [...lines];
}

/** A line for an operation, behind all others. An operation has a name that later lines can read it by. */
export function withOperation(lines: readonly Line[], title: string): Line[] {
  const used = lines.filter(({ on }) => on);
  const layer = OPERATIONS[title]!(used.map((line) => nameOf(line) ?? ''));
  const names = new Set(lines.map(nameOf));
  let count = 1;
  const kind = Object.keys(layer)[0]!;
  while (names.has(`${kind}${count}`)) count++;
  return [...lines, { on: true, layer: { ...layer, name: `${kind}${count}` } }];
}

/** The lines that are used, as JSON: one a line. */
export const toJson = (lines: readonly Line[]): string =>
  `[\n${lines.flatMap(({ on, layer }) => (on ? [`  ${JSON.stringify(layer)}`] : [])).join(',\n')}\n]`;

/** The lines of a text; undefined where it is none yet. */
export function fromJson(text: string): Line[] | undefined {
  try {
    const layers: unknown = JSON.parse(text);
    const isLayer = (layer: unknown): layer is Line['layer'] =>
      typeof layer === 'object' && layer !== null && !Array.isArray(layer);
    return Array.isArray(layers) && layers.every(isLayer) ? layers.map((layer) => ({ layer, on: true })) : undefined;
  } catch {
    return undefined;
  }
}
