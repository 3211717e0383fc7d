import * as gru from 'gru-wasm';
import { report } from '../model.mjs';

report('worker', gru).then((line) => postMessage(line));
