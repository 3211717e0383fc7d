import type { FastifySchema } from 'fastify';
import type { ServedModel } from '../core/model.ts';

/** The Open Inference Protocol as JSON Schema: what /openapi.json says of the routes. Requests are checked by oip/, against the model that they are for. */

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const whole = { type: 'integer', minimum: 0 } as const;
const object = (properties: object, required: string[] = Object.keys(properties)) =>
  ({ type: 'object', properties, required }) as const;
const list = (items: object) => ({ type: 'array', items }) as const;

const datatype = { type: 'string', enum: ['FP32', 'INT32', 'INT64'] };
const shape = { type: 'array', items: { type: 'integer', minimum: -1 } };
const data = { type: 'array', description: 'numbers, flat or nested by the shape', items: {} };
const binarySize = object({ binary_data_size: whole }, []);

const inferRequest = object(
  {
    id: { ...text, maxLength: 256 },
    parameters: object(
      {
        sequence_id: {
          anyOf: [
            { ...text, maxLength: 256 },
            { ...whole, maximum: Number.MAX_SAFE_INTEGER },
          ],
        },
        sequence_start: flag,
        sequence_end: flag,
        sequence_step: { ...whole, description: 'steps taken before: it makes a request safe to send again' },
        sequence_snapshot: { ...flag, description: 'the state is in the store (--state) before the answer goes out' },
        binary_data_output: flag,
      },
      [],
    ),
    inputs: list(object({ name: text, datatype, shape, data, parameters: binarySize }, ['name', 'datatype', 'shape'])),
    outputs: list(object({ name: text, parameters: object({ binary_data: flag }, []) }, ['name'])),
  },
  ['inputs'],
);

const inferResponse = object(
  {
    model_name: text,
    model_version: text,
    id: text,
    parameters: object({ sequence_step: whole, sequence_durable_step: whole }, []),
    outputs: list(object({ name: text, datatype, shape, data, parameters: binarySize }, ['name', 'datatype', 'shape'])),
  },
  ['model_name', 'model_version', 'outputs'],
);

const ports = list(object({ name: text, datatype, shape }));
const error = (description: string) => ({ description, ...object({ error: text }) });
const answer = (description: string, schema: object) => ({ description, ...schema });

/** A request that a model takes: two steps of zeros, whole; and the first of a live sequence. */
function examplesOf({ inputs }: ServedModel): object[] {
  const tensors = (steps: number) =>
    inputs.map(({ name, datatype, shape }) => {
      const own = shape.map((n, i) => (n >= 0 ? n : i === 0 ? 1 : steps));
      return { name, datatype, shape: own, data: Array.from({ length: own.reduce((a, b) => a * b, 1) }, () => 0) };
    });
  const live = { sequence_id: 'call-17', sequence_start: true, sequence_step: 0 };
  return [{ inputs: tensors(2) }, { parameters: live, inputs: tensors(1) }];
}

/** Which model a route is for: those that are served, each in one version. */
function paramsOf(models: readonly ServedModel[], versioned: boolean) {
  const model = { ...text, enum: models.map(({ name }) => name) };
  return object(
    versioned ? { model, version: { ...text, enum: [...new Set(models.map(({ version }) => version))] } } : { model },
  );
}

/** From any path. */
const foreign = {
  403: error('a page of an origin that is not let in'),
  421: error('the host is no name of this server'),
};
const refused = { 400: error('the request is malformed'), 401: error('no API key, or a wrong one'), ...foreign };
const ofModel = { ...refused, 404: error('there is no such model') };
const ready = object({ ready: flag });

export const SCHEMAS = {
  live: {
    summary: 'Whether the process runs',
    response: { 200: answer('it does', object({ live: flag })), ...foreign },
  },
  ready: {
    summary: 'Whether requests are taken',
    response: { 200: answer('they are', ready), 503: answer('it is shutting down', ready), ...foreign },
  },
  metrics: {
    summary: 'Prometheus metrics',
    produces: ['text/plain'],
    response: { 200: answer('metrics', text), ...refused },
  },
  server: {
    summary: 'What the server is',
    response: {
      200: answer('the server', object({ name: text, version: text, extensions: list(text) })),
      ...foreign,
    },
  },
  repository: {
    summary: 'The models',
    response: { 200: answer('models', list(object({ name: text, version: text, state: text }))), ...refused },
  },
  model: (models: readonly ServedModel[], versioned: boolean) => ({
    summary: "A model's inputs and outputs",
    params: paramsOf(models, versioned),
    response: {
      200: answer(
        'the model',
        object({ name: text, versions: list(text), platform: text, inputs: ports, outputs: ports }),
      ),
      ...ofModel,
    },
  }),
  modelReady: (models: readonly ServedModel[], versioned: boolean) => ({
    summary: 'Whether a model takes requests',
    params: paramsOf(models, versioned),
    response: {
      200: answer('it does', object({ name: text, ready: flag })),
      ...ofModel,
      503: answer('it is shutting down', object({ name: text, ready: flag })),
    },
  }),
  infer: (models: readonly ServedModel[], versioned: boolean) => ({
    summary: 'Inference: whole sequences, or a block of steps of a live one',
    params: paramsOf(models, versioned),
    body: { ...inferRequest, examples: models.flatMap(examplesOf) },
    response: {
      200: answer('outputs', inferResponse),
      ...refused,
      404: error('there is no such model, or no such sequence'),
      409: answer('the sequence is at another step', object({ error: text, sequence_step: whole }, ['error'])),
      413: error('the body is too large'),
      429: error('more than this client may have'),
      503: error('more than the server can take now'),
      504: error('no answer in time'),
    },
  }),
} satisfies Record<string, FastifySchema | ((models: readonly ServedModel[], versioned: boolean) => FastifySchema)>;
