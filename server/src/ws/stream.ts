import { randomUUID } from 'node:crypto';
import type { ServedModel } from '../core/model.ts';
import { bytesOf } from '../core/tensors.ts';
import { ServeError } from '../errors.ts';
import { decodeInfer, encodeInfer } from '../oip/json.ts';
import { checkIds, checkShape, type InferRequest, quote, sequenceOf } from '../oip/messages.ts';
import { decodeRaw } from '../oip/raw.ts';
import { asServeError, type InferenceService } from '../service.ts';
import { answerFrames, type Frame, type Serve } from './frames.ts';

/**
 * One live stream a connection: frames in, results out. A binary frame is the rows of the model's one input, little-endian, and has the
 * rows of its first output as answer; a text frame is a request of the protocol as JSON. Without a `sequence_id` it ends with its
 * connection.
 *
 * @throws ServeError for words that it does not take.
 */
export function streamOf(service: InferenceService, owner: string, model: ServedModel, words: URLSearchParams): Serve {
  const id = words.get('sequence_id');
  const step = words.get('sequence_step');
  if (id === '')
    throw new ServeError('bad_request', 'sequence_id is empty: leave it out for one that ends with its connection');
  const next = sequenceOf({
    sequence_id: id ?? 'its own',
    sequence_start: id === null || startOf(words.get('sequence_start')),
    // What is no number is refused as the text that it is.
    ...(step === null ? {} : { sequence_step: /^\d+$/.test(step) ? Number(step) : step }),
  })!;
  if (id === null) next.id = `c:${randomUUID()}`;
  const answer = async (bytes: Buffer, isBinary: boolean): Promise<Frame[]> => {
    try {
      const request = isBinary ? frameOf(model, bytes) : decodeInfer(model, { bytes, jsonLength: undefined }, next);
      request.sequence = { ...next };
      const answered = service.infer(owner, model.name, request);
      next.start = false;
      next.step = undefined;
      const { outputs } = await answered;
      if (isBinary) return [bytesOf(outputs[model.outputs[0]!.name]!.data)];
      const wanted = request.outputs.map(({ port }) => ({ port, binary: false }));
      return [Buffer.from(encodeInfer(await answered, wanted).bytes).toString()];
    } catch (error) {
      const { message, reason, step } = asServeError(error);
      return [JSON.stringify({ error: message, reason, ...(step === undefined ? {} : { sequence_step: step }) })];
    }
  };
  return (client) => {
    answerFrames(client, answer, () => {
      if (id === null) service.release(owner, model.name, next.id);
    });
  };
}

function startOf(word: string | null): boolean {
  if (word === null || word === 'true' || word === 'false') return word === 'true';
  throw new ServeError('bad_request', `sequence_start must be true or false, got ${quote(word)}`);
}

/** A binary frame as a request. */
function frameOf(model: ServedModel, bytes: Buffer): InferRequest {
  const [port] = model.inputs;
  if (!port || model.inputs.length > 1) {
    throw new ServeError('bad_request', `model ${model.name} has several inputs: send text frames`);
  }
  const steps = bytes.length / (4 * port.size);
  const shape = checkShape(
    port,
    port.shape.map((n, i) => (i === 0 ? 1 : n < 0 ? steps : n)),
    true,
  );
  const data = decodeRaw(port, shape, port.datatype, bytes);
  checkIds(port, data);
  return { id: undefined, inputs: { [port.name]: { data, shape } }, outputs: [], sequence: undefined };
}
