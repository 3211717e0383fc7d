// The pool's worker, which dies when it has answered a job.
import 'gru-wasm/pool-worker';
import './dying.mjs';
