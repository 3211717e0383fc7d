import { parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import { shortName } from './format.ts';
import { type BenchRecord, geometricMean, ratio, resultOf, spread } from './record.ts';

/** Readable on white and on black alike. */
const TEXT = '#7d8590';
const FAINT = '#7d859040';
const OURS = '#e8590c';
const FAST = { 'relaxed-revec': '#f59f00', relaxed: OURS, baseline: '#be4bdb', 'ort-node': '#1c7ed6' };
const SLOW = { js: '#2f9e44', textbook: '#868e96', 'tfjs-wasm': '#e64980' };
const BASE = 'ort-web';

export const CONFIG = {
  font: 'system-ui, "DejaVu Sans", sans-serif',
  axis: {
    ...{ labelColor: TEXT, titleColor: TEXT, gridColor: FAINT, domainColor: FAINT, tickColor: FAINT },
    ...{ labelFontSize: 11, titleFontWeight: 'normal' },
  },
  legend: { labelColor: TEXT, labelFontSize: 12 },
  title: { color: TEXT, subtitleColor: TEXT },
  view: { stroke: FAINT },
};

interface Speed {
  kind: string;
  engine: string;
  case: string;
  speed: number;
  low: number;
  high: number;
}

/** The charts of a record: how fast engines are against ONNX Runtime Web, and how near ours is to the ceiling. */
export async function chart(record: BenchRecord): Promise<string | undefined> {
  const speeds = speedRows(record);
  const shares = shareRows(record);
  if (speeds.length === 0) return undefined;
  const spec = {
    background: 'transparent',
    padding: 12,
    config: CONFIG,
    title: {
      ...{ text: 'GRU inference on one thread', anchor: 'start', fontSize: 15, subtitleFontSize: 12 },
      subtitle: [
        `${record.machine.cpu.replace(/;.*/, ')')} · ${record.host} · ${record.date.slice(0, 10)}`,
        'Rows: input size = hidden size, steps, batch. Points: median of the rounds, lines: quartiles.',
      ],
    },
    resolve: { scale: { color: 'independent' } },
    vconcat: [
      speedCharts(speeds, FAST, 32, [0.5, 1, 2, 4, 8, 16]),
      speedCharts(speeds, SLOW, 22, [0.003, 0.01, 0.03, 0.1, 0.3, 1]),
      shareChart(shares),
    ].filter((part) => part !== undefined),
  };
  return svgOf(spec);
}

/** A chart of Vega-Lite as a picture. */
export const svgOf = (spec: object): Promise<string> =>
  new View(parse(compile(spec as TopLevelSpec).spec), { renderer: 'none' }).toSVG();

/** Two panels, one a reset kind, on one scale. */
function speedCharts(all: Speed[], colors: Record<string, string>, step: number, ticks: number[]) {
  const speeds = all.filter((s) => s.engine in colors);
  const engines = Object.keys(colors).filter((name) => speeds.some((s) => s.engine === name));
  if (engines.length === 0) return undefined;
  const edges = [...speeds.flatMap((s) => [s.low, s.high]), 1];
  const domain = [Math.min(...edges) * 0.9, Math.max(...edges) * 1.1];
  const scale = { domain: engines, range: engines.map((name) => colors[name]) };
  const legend = { orient: 'top', symbolSize: 90, symbolStrokeWidth: 0 };
  const shared = {
    y: { field: 'case', type: 'nominal', sort: null, title: null, scale: { paddingInner: 0.3 } },
    yOffset: { field: 'engine', sort: engines },
    color: { field: 'engine', type: 'nominal', title: null, sort: engines, scale, legend },
  };
  const x = (field: string) => ({
    ...{ field, type: 'quantitative', scale: { type: 'log', domain, nice: false, clamp: true } },
    ...{
      title: `times as fast as ${BASE} (log scale)`,
      axis: { values: ticks.filter((tick) => tick > domain[0]! && tick < domain[1]!), format: '~g' },
    },
  });
  const panel = (kind: string) => ({
    title: { text: `reset ${kind} the product`, anchor: 'start', fontSize: 12, fontWeight: 'normal' },
    width: 340,
    height: { step, for: 'position' },
    data: { values: speeds.filter((s) => s.kind === kind) },
    layer: [
      { mark: { type: 'rule', color: TEXT, strokeDash: [4, 3] }, encoding: { x: { datum: 1 } } },
      { mark: { type: 'rule', strokeWidth: 2 }, encoding: { ...shared, x: x('low'), x2: { field: 'high' } } },
      { mark: { type: 'point', filled: true, size: 55, opacity: 1 }, encoding: { ...shared, x: x('speed') } },
    ],
  });
  const kinds = ['after', 'before'].filter((kind) => speeds.some((s) => s.kind === kind));
  return { resolve: { scale: { color: 'shared' } }, hconcat: kinds.map(panel) };
}

function shareChart(values: object[]) {
  if (values.length === 0) return undefined;
  const y = { field: 'case', type: 'nominal', sort: null, title: null, axis: { labelLimit: 300 } };
  const title =
    'least time that the multiply-adds, or the loads of the weights, take in the same rounds / time taken (%)';
  const x = { field: 'share', type: 'quantitative', title, scale: { domain: [0, 100] } };
  const text = { field: 'share', format: '.0f' };
  return {
    title: {
      ...{ text: 'gru-wasm relaxed: share of the ceiling of wasm on this machine', anchor: 'start' },
      ...{ fontSize: 12, fontWeight: 'normal' },
    },
    width: 780,
    height: { step: 16 },
    data: { values },
    layer: [
      { mark: { type: 'bar', color: OURS, opacity: 0.8 }, encoding: { y, x } },
      { mark: { type: 'text', align: 'left', dx: 4, color: TEXT, fontSize: 10 }, encoding: { y, x, text } },
    ],
  };
}

function speedRows(record: BenchRecord): Speed[] {
  const rows = record.cases
    .filter((r) => r.case.group === 'grid')
    .flatMap(({ case: c, engines }) => {
      const base = resultOf(record, c.name, BASE)?.rounds;
      return engines.flatMap(({ engine, status, rounds }): Speed[] => {
        const count = Math.min(rounds.length, base?.length ?? 0);
        const all = spread(Array.from({ length: count }, (_, i) => base![i]! / rounds[i]!));
        if (status !== 'ok' || !all) return [];
        const [kind = '', row = ''] = shortName(c).split('/');
        return [{ kind, engine, case: row, speed: all.median, low: all.q1, high: all.q3 }];
      });
    });
  const means = [...new Set(rows.map(({ kind, engine }) => `${kind} ${engine}`))].map((pair): Speed => {
    const own = rows.filter(({ kind, engine }) => `${kind} ${engine}` === pair);
    const speed = geometricMean(own.map((r) => r.speed));
    return { ...own[0]!, case: 'geometric mean', speed, low: speed, high: speed };
  });
  return [...rows, ...means];
}

function shareRows(record: BenchRecord) {
  return record.cases
    .filter((r) => r.case.group === 'kernel' || r.case.group === 'grid')
    .flatMap(({ case: c }) => {
      const isKernel = c.group === 'kernel';
      const share = ratio(record, c.name, isKernel ? 'core-relaxed' : 'relaxed', 'ceiling-relaxed');
      const name = isKernel ? `kernel: ${shortName(c)}` : `run(): ${shortName(c)}`;
      return share === undefined ? [] : [{ case: name, share: 100 * share }];
    });
}
