import { randomUUID } from 'node:crypto';
import type { Port, ServedModel } from '../core/model.ts';
import { keyOf, type SequenceCall, type StepAnswer } from '../core/sequence.ts';
import { bytesOf, valuesFrom } from '../core/tensors.ts';
import { ServeError } from '../errors.ts';
import { checkId, checkIds } from '../oip/messages.ts';
import { asServeError, type InferenceService, type StepRequest } from '../service.ts';
import { answerFrames, type Frame, type Serve } from './frames.ts';

/** In the word of a step, beside its sequence's number: the sequence begins with it, or ends. */
export const START = 2 ** 30;
export const END = 2 ** 31;

/**
 * Many live streams on one connection, as a gateway has them: each frame is a step each of some of them, in 32-bit words, little-endian.
 *
 *     count | count numbers of sequences, with START and END | count rows of the model's one input
 *
 * The answer has the same form: rows of its first output, in the order asked. Steps that were refused are not in it, but in a text frame
 * after it: `{ "errors": [{ "sequence": 7, "error": "...", "reason": "..." }] }`. A frame that is malformed is refused as a whole, by
 * `{ "error": "...", "reason": "..." }`, and no step of it is taken. Sequence 7 of a connection with `?sequence_prefix=P` is the sequence
 * `P/7` of other requests, and outlives it; without, its sequences end with it.
 *
 * @throws ServeError for a model or words that it does not take.
 */
export function manyOf(service: InferenceService, owner: string, model: ServedModel, words: URLSearchParams): Serve {
  const [input, second] = model.inputs;
  const [output] = model.outputs;
  if (!input || second || !input.hasSteps || !output) {
    throw new ServeError(
      'bad_request',
      `model ${model.name}: many streams on one connection are for one input of steps`,
    );
  }
  const given = words.get('sequence_prefix');
  const prefix = given === null ? `c:${randomUUID()}/` : `s:${checkId('sequence_prefix', given)}/`;
  const calls = new Calls(owner, prefix);
  const answer = async (bytes: Buffer, isBinary: boolean): Promise<Frame[]> => {
    try {
      if (!isBinary) throw new ServeError('bad_request', 'steps of many sequences are sent as binary frames');
      const { numbers, asked } = stepsOf(input, bytes, calls);
      return answerOf(output, numbers, await service.steps(model.name, asked));
    } catch (error) {
      const { message, reason } = asServeError(error);
      return [JSON.stringify({ error: message, reason })];
    }
  };
  return (client) => {
    answerFrames(client, answer, () => {
      if (given === null) service.releaseAll(owner, model.name, prefix);
    });
  };
}

/** Sequences of which a connection remembers the call: some 300 bytes each. */
const MAX_CALLS = 2 ** 14;

/** What asks for a step of a sequence of a connection: made once, for the key of a sequence and its hash took a tenth of a step. */
class Calls {
  private readonly owner: string;
  private readonly prefix: string;
  private readonly made = new Map<number, SequenceCall>();

  constructor(owner: string, prefix: string) {
    this.owner = owner;
    this.prefix = prefix;
  }

  of(word: number): SequenceCall {
    const number = word % START;
    const call = this.made.get(number) ?? this.make(number);
    if (word < START) return call;
    return { ...call, start: (word & START) !== 0, end: word >= END };
  }

  private make(number: number): SequenceCall {
    const { owner, made } = this;
    if (made.size >= MAX_CALLS) made.clear();
    const id = `${this.prefix}${number}`;
    const call = { owner, id, key: keyOf(owner, id), start: false, end: false, step: undefined };
    made.set(number, call);
    return call;
  }
}

function stepsOf(input: Port, bytes: Buffer, calls: Calls): { numbers: Uint32Array; asked: StepRequest[] } {
  const { name, datatype, size } = input;
  const count = bytes.length < 4 ? 0 : bytes.readUInt32LE(0);
  const length = 4 * (1 + count * (1 + size));
  if (count === 0 || bytes.length !== length) {
    const text = `a frame of ${count} steps has ${count === 0 ? 'nothing to do' : `${length} bytes`}, got ${bytes.length}`;
    throw new ServeError('bad_request', `${text}: count, numbers of sequences, rows of ${size}`);
  }
  const numbers = Uint32Array.from({ length: count }, (_, i) => bytes.readUInt32LE(4 + 4 * i));
  const data = valuesFrom(datatype, bytes.subarray(4 + 4 * count));
  checkIds(input, data);
  const asked = Array.from(numbers, (word, i) => ({
    call: calls.of(word),
    block: { [name]: data.subarray(i * size, (i + 1) * size) },
  }));
  return { numbers, asked };
}

function answerOf(
  { name, size, datatype }: Port,
  numbers: Uint32Array,
  answers: readonly (StepAnswer | ServeError)[],
): Frame[] {
  const isRow = (answer: StepAnswer | ServeError) =>
    !(answer instanceof ServeError) && answer.outputs[name]!.length === size;
  const count = answers.reduce((sum, answer) => (isRow(answer) ? sum + 1 : sum), 0);
  const words = new Uint32Array(1 + count * (1 + size));
  const rows = datatype === 'INT32' ? new Int32Array(words.buffer) : new Float32Array(words.buffer);
  const errors: object[] = [];
  let done = 0;
  words[0] = count;
  answers.forEach((answer, i) => {
    const sequence = numbers[i]! % START;
    if (answer instanceof ServeError) errors.push({ sequence, error: answer.message, reason: answer.reason });
    else if (!isRow(answer)) errors.push({ sequence, error: `${name} has no row at this step`, reason: 'bad_request' });
    else {
      words[1 + done] = sequence;
      rows.set(answer.outputs[name]!, 1 + count + done * size);
      done++;
    }
  });
  const frames: Frame[] = count > 0 ? [bytesOf(rows)] : [];
  if (errors.length > 0) frames.push(JSON.stringify({ errors }));
  return frames;
}
