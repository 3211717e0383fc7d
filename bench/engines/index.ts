import type { Engine } from '../engine.ts';
import { ceiling } from './ceiling.ts';
import { core } from './core.ts';
import { gruWasm, quantized, revectorized } from './gru-wasm.ts';
import { ortNode } from './ort-node.ts';
import { ortWeb } from './ort-web.ts';
import { textbook } from './textbook.ts';
import { tfjsWasm } from './tfjs-wasm.ts';

export const ENGINES: Engine[] = [
  gruWasm('relaxed', 'wasm-relaxed'),
  revectorized,
  quantized('i16'),
  quantized('i8'),
  gruWasm('baseline', 'wasm-baseline'),
  gruWasm('js', 'js'),
  textbook,
  ortWeb,
  ortNode,
  tfjsWasm,
  core('core-relaxed', 'relaxed'),
  core('core-baseline', 'baseline'),
  ceiling('ceiling-relaxed', 'relaxed'),
  ceiling('ceiling-baseline', 'baseline'),
];

/** The engine of that name. */
export function engineNamed(name: string): Engine {
  const engine = ENGINES.find((e) => e.name === name);
  if (!engine) throw new Error(`no engine is called ${name}`);
  return engine;
}
