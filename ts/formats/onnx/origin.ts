import { Decoder, entry } from './decoder.ts';
import type { OnnxNode } from './messages.ts';

/** Where a node comes from in the code that was exported, as torch's dynamo exporter notes it: ` (model.py:12, in forward)`; or ''. */
export function originOf({ metadata = [] }: Pick<OnnxNode, 'metadata'>): string {
  const frames = metadata.map(traceIn).flatMap((trace) => [...trace.matchAll(FRAME)]);
  // of calls within each other, the last one in code that was not installed
  const frame = frames.findLast(([, path]) => !path!.includes('site-packages')) ?? frames.at(-1);
  const [, path, line, name] = frame ?? [];
  return path === undefined ? '' : ` (${path.split(/[\\/]/).at(-1)!}:${line!}, in ${name!})`;
}

const FRAME = /File "([^"\n]*)", line (\d+), in ([^\n]*)/g;

/** It is for messages alone: what is damaged says nothing. */
function traceIn(bytes: Uint8Array): string {
  try {
    const [key, value] = entry(new Decoder(bytes.length), bytes);
    return key === 'pkg.torch.onnx.stack_trace' ? value : '';
  } catch {
    return '';
  }
}
