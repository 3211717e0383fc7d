import * as gru from './gru-wasm/index.js';
import { report } from './model.mjs';

globalThis.told = report('page', gru);
