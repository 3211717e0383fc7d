/** What is used of a GruModel: of the sources' type or of the built package's. */
interface Timed extends Disposable {
  createStream(): { run(block: Float32Array, out: Float32Array): Float32Array };
}

/** Samples of one call of an AudioWorkletProcessor. */
const QUANTUM = 128;
const WARM_UP = 2000;

/**
 * Milliseconds that each of `quanta` calls takes which do what an AudioWorkletProcessor does. Worklets have
 * no clock: so this runs in a thread that has one.
 */
export function timeQuanta(create: () => Timed, quanta: number): number[] {
  using model = create();
  const stream = model.createStream();
  const input = Float32Array.from({ length: QUANTUM }, () => 2 * Math.random() - 1);
  const output = new Float32Array(QUANTUM);
  const process = () => stream.run(input, output);
  for (let i = 0; i < WARM_UP; i++) process();
  return Array.from({ length: quanta }, () => {
    const start = performance.now();
    process();
    return performance.now() - start;
  });
}
