// The pool's worker, which does at its second job what it is not to do.
import { parentPort, workerData } from 'node:worker_threads';

const on = parentPort.on.bind(parentPort);
const stuck = () => {
  for (;;);
};
const post = (message) => parentPort.postMessage(message);
const floats = (n) => new Float32Array(n);

/** By name: what to do with a job; true: instead of the work. */
const ways = {
  'stuck before it looks at its job': stuck,
  'stuck when it has taken its job'({ id, ticket }) {
    if (ticket) Atomics.store(ticket, 0, 0);
    else post({ started: id });
    stuck();
  },
  'answers null': () => post(null) ?? true,
  'answers a number': () => post(3) ?? true,
  'answers an answer without an id': () => post({ answer: {} }) ?? true,
  'answers another job': ({ id }) => post({ answer: { id: id + 7 } }) ?? true,
  'answers too few arrays': ({ id }) => post({ answer: { id, results: [floats(1)] } }) ?? true,
  'answers arrays of a wrong size': ({ id, sizes }) =>
    post({ answer: { id, results: sizes.map((n) => floats(n + 1)) } }) ?? true,
  'answers with strings': ({ id, sizes }) => post({ answer: { id, results: sizes.map(String) } }) ?? true,
  'answers without results': ({ id, results }) => post({ answer: { id, results: results && [] } }) ?? true,
  'fails without a code': ({ id }) => post({ failure: { id } }) ?? true,
  'says that it failed to start': () => post({ failure: { code: 'internal', message: 'odd' } }) ?? true,
  'skips what was not taken back': ({ id }) => post({ skipped: id }) ?? true,
  'starts another job': ({ id }) => post({ started: id + 7 }) ?? true,
  'starts a job twice'({ id }) {
    post({ started: id });
    post({ started: id });
    return true;
  },
  'ends with code 0': () => process.exit(0),
  'ruins the memory of its core'() {
    for (const memory of memories) new Uint8Array(memory.buffer).fill(0xff);
  },
};

const memories = [];
WebAssembly.Instance = class extends WebAssembly.Instance {
  constructor(...of) {
    super(...of);
    memories.push(this.exports.memory);
  }
};

if (workerData.how === 'cannot start') {
  WebAssembly.Instance = class {
    constructor() {
      throw new RangeError('no memory for an instance');
    }
  };
}

let jobs = 0;
parentPort.on = (event, listener) =>
  on(event, (message) => {
    const odd = 'job' in message && ++jobs === 2 && ways[workerData.how];
    if (!odd || !odd(message.job)) listener(message);
  });
await import(workerData.script);
