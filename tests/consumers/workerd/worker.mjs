import * as gru from 'gru-wasm';
import { report } from '../model.mjs';

export default { fetch: async () => new Response(await report('worker', gru)) };
