import { EXIT } from './exit.ts';

/** What is to be done however the process ends: half-written files, a bar. */
const left = new Set<() => void>();

const SIGNALS = [
  ['SIGHUP', EXIT.hungUp],
  ['SIGINT', EXIT.interrupted],
  ['SIGTERM', EXIT.terminated],
] as const;

const handlers = SIGNALS.map(([signal, exit]) => [signal, () => process.exit(exit)] as const);

function cleanUp(): void {
  for (const work of left) work();
}

/**
 * Does this where the process ends before it is taken back: at an error, Ctrl-C, `kill`, a terminal that is closed. Signals are listened to for as long
 * as there is something to do alone: a listener waits until what computes has ended, which takes minutes of some models, and by itself Ctrl-C
 * does not.
 *
 * @returns Takes it back.
 */
export function atEnd(work: () => void): () => void {
  if (left.size === 0) {
    process.on('exit', cleanUp);
    for (const [signal, handler] of handlers) process.on(signal, handler);
  }
  left.add(work);
  return () => {
    if (!left.delete(work) || left.size > 0) return;
    process.off('exit', cleanUp);
    for (const [signal, handler] of handlers) process.off(signal, handler);
  };
}

/** Ends the process at a signal with its exit code, whether something is to be done or not. */
export function endOnSignals(): void {
  atEnd(() => undefined);
}
