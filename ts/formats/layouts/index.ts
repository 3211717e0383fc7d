/** Recurrent layers from arrays in the layouts of the frameworks. In the default entry these are a chunk of their own. */
export { gruSpec } from './gru.ts';
export { lstmSpec } from './lstm.ts';
export { rnnSpec } from './rnn.ts';
