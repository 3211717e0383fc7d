import type { RecurrentOperator } from './cell.ts';
import { gru } from './gru.ts';
import { lstm } from './lstm.ts';
import { rnn } from './rnn.ts';

/** The recurrent operators, by name. */
export const RECURRENT: Readonly<Record<string, RecurrentOperator>> = { GRU: gru, LSTM: lstm, RNN: rnn };
