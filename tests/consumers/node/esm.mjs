import * as gru from 'gru-wasm';
import * as js from 'gru-wasm/js';
import { report } from '../model.mjs';

console.log(await report('module', gru));
console.log(await report('js', js));
