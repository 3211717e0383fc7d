import { readdirSync, readFileSync } from 'node:fs';

/** What a file of bench/records holds, as far as the page shows it. */
interface Recorded {
  date: string;
  machine: { cpu: string };
  host: string;
  cases: {
    case: { name: string; group: string; resetAfter: boolean };
    engines: { engine: string; status: string; rounds?: number[] }[];
  }[];
}

/** Microseconds a call by engine, for one case. */
export interface Measured {
  name: string;
  micros: Record<string, number>;
}

export interface Measurements {
  /** The file, without its ending. */
  record: string;
  machine: string;
  host: string;
  date: string;
  /** One step of a live stream, and runs of whole sequences. */
  steps: Measured[];
  sequences: Measured[];
}

/** Engines of the records that are shown, by the names that the page gives them. */
const SHOWN: Record<string, string> = {
  relaxed: 'gru-wasm',
  i16: 'gru-wasm, i16',
  i8: 'gru-wasm, i8',
  baseline: 'gru-wasm, baseline',
  js: 'gru-wasm, JavaScript',
  'ort-web': 'ONNX Runtime Web',
  'ort-node': 'ONNX Runtime, native',
  'tfjs-wasm': 'TensorFlow.js',
};

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

/** `grid/after/64,100,1` and `step/after/64` as people say it. */
function titleOf(name: string): string {
  const [hidden, steps, batch] = name.split('/').at(-1)!.split(',');
  if (steps === undefined) return `${hidden!} units`;
  const sequences = batch === '1' ? '' : `, ${batch!} sequences`;
  return `${hidden!} units, ${steps} step${steps === '1' ? '' : 's'}${sequences}`;
}

/** @param name of the file, without its ending. @param text of it: JSON. @param resetAfter which form of GRU */
export function measurements(name: string, text: string, resetAfter: boolean): Measurements {
  const { date, machine, host, cases } = JSON.parse(text) as Recorded;
  const of = (group: string): Measured[] =>
    cases
      .filter(({ case: c }) => c.group === group && c.resetAfter === resetAfter)
      .map(({ case: c, engines }) => ({
        name: titleOf(c.name),
        micros: Object.fromEntries(
          engines.flatMap(({ engine, status, rounds }) =>
            SHOWN[engine] !== undefined && status === 'ok' && rounds ? [[SHOWN[engine], median(rounds)]] : [],
          ),
        ),
      }));
  return {
    record: name,
    machine: machine.cpu.replace(/;.*/, ')'),
    host,
    date: date.slice(0, 10),
    steps: of('step'),
    sequences: of('grid'),
  };
}

/** The newest whole record of GRUs on Node, one with weights of integers, and a quick one of each browser. */
export function newest(
  folder: URL,
): Record<'node' | 'textbook' | 'integers', Measurements> & { browsers: Measurements[] } {
  const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
  const last = (pattern: RegExp): [string, string] => {
    const name = names
      .filter((n) => pattern.test(n))
      .sort()
      .at(-1)!;
    return [name.replace(/\.json$/, ''), readFileSync(new URL(name, folder), 'utf8')];
  };
  const node = last(/-node\d+\.json$/);
  return {
    node: measurements(...node, true),
    textbook: measurements(...node, false),
    integers: measurements(...last(/-node24-integers\.json$/), true),
    browsers: [/-chromium-quick\.json$/, /-firefox-quick\.json$/].map((pattern) =>
      measurements(...last(pattern), true),
    ),
  };
}
