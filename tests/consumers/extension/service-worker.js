import * as statically from './gru-wasm/static.js';
import { report } from './model.mjs';

globalThis.told = report('service-worker', statically);
