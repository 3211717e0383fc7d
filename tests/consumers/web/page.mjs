import * as gru from 'gru-wasm';
import { report } from '../model.mjs';

export const page = () => report('page', gru);
