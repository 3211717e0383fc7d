import * as gru from '/gru-wasm/index.js';
import { report } from '/model.mjs';

postMessage(await report('worker', gru));
