import * as gru from '/gru-wasm/static.js';
import { report } from '/model.mjs';

addEventListener('message', ({ source }) => report('service-worker', gru).then((line) => source.postMessage(line)));
