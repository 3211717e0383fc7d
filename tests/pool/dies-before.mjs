// The pool's worker, which dies before it has looked at a job.
import './dying.mjs';
import 'gru-wasm/pool-worker';
