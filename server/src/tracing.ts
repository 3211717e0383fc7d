import { setTimeout } from 'node:timers/promises';
import type { Attributes, Context, SpanContext, SpanKind, Tracer } from '@opentelemetry/api';
import type { SequenceStore } from './core/store.ts';
import type { Observer } from './service.ts';
import { VERSION } from './version.ts';
import { UsageError } from './words.ts';

/** Spans of work, where somebody asked for them. */
export interface Spans {
  /** Does `work` in a span of this name, under the one that `parent` says, and tells it what its own children say as theirs (W3C traceparent). */
  span<T>(
    name: string,
    attributes: Attributes,
    parent: string | undefined,
    work: (traceparent: string | undefined) => Promise<T>,
  ): Promise<T>;
  close(): Promise<void>;
}

export const NO_SPANS: Spans = {
  span: (_name, _attributes, _parent, work) => work(undefined),
  close: () => Promise.resolve(),
};

/** What a client, or the code of the server, can do nothing about. */
const FAULTS = new Set(['internal', 'timeout', 'unavailable']);

/** What `--otel` means, in help. */
export const OTEL = 'send OpenTelemetry traces by OTLP/HTTP, as OTEL_* of the environment say';

const PACKAGES = 'api core exporter-trace-otlp-http resources sdk-trace'.replaceAll(/\S+/g, '@opentelemetry/$&');

async function packages() {
  try {
    return {
      api: await import('@opentelemetry/api'),
      core: await import('@opentelemetry/core'),
      exporter: await import('@opentelemetry/exporter-trace-otlp-http'),
      resources: await import('@opentelemetry/resources'),
      sdk: await import('@opentelemetry/sdk-trace'),
    };
  } catch (cause) {
    throw new UsageError(`--otel needs what was left out of the installation: npm install ${PACKAGES}`, { cause });
  }
}

const quiet = () => undefined;

/** Milliseconds that the last spans may take when the server ends: its states are written by then. */
const CLOSE_LIMIT = 2000;

type Packages = Awaited<ReturnType<typeof packages>>;

/**
 * OpenTelemetry spans: one a request, with the caller's as its parent where it sent a traceparent, one a batch, one a read and a write of states; one a file
 * that is scored, and one a shard. They go by OTLP over HTTP (JSON) to where OTEL_EXPORTER_OTLP_ENDPOINT and its like say, sampled as OTEL_TRACES_SAMPLER says.
 */
export class Tracing implements Observer, Spans {
  private readonly use: Packages;
  private readonly tracer: Tracer;
  /** Sends what there is, if somebody takes it, and ends. */
  readonly close: () => Promise<void>;

  private constructor(use: Packages, tracer: Tracer, close: () => Promise<void>) {
    this.use = use;
    this.tracer = tracer;
    this.close = close;
  }

  /** @param warn Told of spans that could not be sent. @throws UsageError for packages that are missing, and words of the environment that are not known. */
  static async start(warn: (text: string) => void, env: NodeJS.ProcessEnv = process.env): Promise<Tracing> {
    const protocol = env['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'] ?? env['OTEL_EXPORTER_OTLP_PROTOCOL'] ?? 'http/json';
    if (protocol !== 'http/json')
      throw new UsageError(`OTEL_EXPORTER_OTLP_PROTOCOL must be http/json, got ${protocol}`);
    const use = await packages();
    const { api, exporter, resources, sdk } = use;
    api.diag.setLogger({ error: warn, warn, info: quiet, debug: quiet, verbose: quiet }, api.DiagLogLevel.WARN);
    const provider = new sdk.TracerProvider({
      resource: resources
        .resourceFromAttributes({ 'service.name': 'gru-wasm-server', 'service.version': VERSION })
        .merge(resources.detectResources({ detectors: [resources.envDetector] })),
      sampler: samplerOf(use, env['OTEL_TRACES_SAMPLER'], env['OTEL_TRACES_SAMPLER_ARG']),
      spanProcessors: [new sdk.BatchSpanProcessor({ exporter: new exporter.OTLPTraceExporter() })],
    });
    const close = async () => {
      const late = setTimeout(CLOSE_LIMIT, 'no answer', { ref: false });
      const lost = await Promise.race([provider.shutdown().catch(String), late]);
      if (lost !== undefined) warn(`the last spans are lost: ${lost}`);
    };
    return new Tracing(use, provider.getTracer('gru-wasm-server', VERSION), close);
  }

  request(model: string, outcome: string, milliseconds: number, traceparent?: string): void {
    const { api } = this.use;
    const span = this.tracer.startSpan(
      'infer',
      {
        kind: api.SpanKind.SERVER,
        startTime: now() - milliseconds,
        attributes: { 'gru.model': model, 'gru.outcome': outcome },
      },
      this.contextOf(traceparent),
    );
    if (FAULTS.has(outcome)) span.setStatus({ code: api.SpanStatusCode.ERROR, message: outcome });
    span.end(now());
  }

  batch(model: string, kind: 'step' | 'run', size: number, milliseconds: number): void {
    const attributes = { 'gru.model': model, 'gru.batch.kind': kind, 'gru.batch.size': size };
    const startTime = now() - milliseconds;
    this.tracer.startSpan('batch', { startTime, attributes, root: true }).end(now());
  }

  span<T>(
    name: string,
    attributes: Attributes,
    parent: string | undefined,
    work: (traceparent: string | undefined) => Promise<T>,
  ): Promise<T> {
    return this.timed(name, attributes, parent, work, this.use.api.SpanKind.INTERNAL);
  }

  private async timed<T>(
    name: string,
    attributes: Attributes,
    parent: string | undefined,
    work: (traceparent: string) => Promise<T>,
    kind: SpanKind,
  ): Promise<T> {
    const span = this.tracer.startSpan(name, { kind, attributes }, this.contextOf(parent));
    try {
      return await work(traceparentOf(span.spanContext()));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      span.setStatus({ code: this.use.api.SpanStatusCode.ERROR, message });
      throw error;
    } finally {
      span.end();
    }
  }

  /** Under the span that a traceparent says; under none where it says none. */
  private contextOf(traceparent: string | undefined): Context {
    const { api, core } = this.use;
    const parent = traceparent === undefined ? null : core.parseTraceParent(traceparent);
    return parent ? api.trace.setSpanContext(api.ROOT_CONTEXT, { ...parent, isRemote: true }) : api.ROOT_CONTEXT;
  }

  /** The store, with a span for each read and write of states. */
  store(model: string, store: SequenceStore): SequenceStore {
    const spanned = <T>(name: string, size: number, work: () => Promise<T>) =>
      this.timed(name, { 'gru.model': model, 'gru.states': size }, undefined, work, this.use.api.SpanKind.CLIENT);
    return {
      load: (keys) => spanned('read states', keys.length, () => store.load(keys)),
      save: (writes, states) => spanned('write states', writes.length, () => store.save(writes, states)),
      close: () => store.close(),
    };
  }
}

/** As W3C Trace Context writes it. */
const traceparentOf = ({ traceId, spanId, traceFlags }: SpanContext) =>
  `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;

/** Milliseconds since 1970, with their fractions. */
function now(): number {
  return performance.timeOrigin + performance.now();
}

/** @throws UsageError. */
function samplerOf({ sdk }: Packages, name = 'parentbased_always_on', argument = '1') {
  const [, parentBased, kind] = /^(parentbased_)?(always_on|always_off|traceidratio)$/.exec(name) ?? [];
  const ratio = Number(argument);
  if (kind === undefined) throw new UsageError(`OTEL_TRACES_SAMPLER ${name} is not known`);
  if (!(ratio >= 0 && ratio <= 1)) throw new UsageError(`OTEL_TRACES_SAMPLER_ARG must be from 0 to 1, got ${argument}`);
  const root = {
    always_on: () => new sdk.AlwaysOnSampler(),
    always_off: () => new sdk.AlwaysOffSampler(),
    traceidratio: () => new sdk.TraceIdRatioBasedSampler(ratio),
  }[kind as 'always_on']();
  return parentBased === undefined ? root : new sdk.ParentBasedSampler({ root });
}

/** Tells all of them. */
export function observers(...all: Observer[]): Observer {
  return {
    batch: (...told) => {
      for (const one of all) one.batch(...told);
    },
    request: (...told) => {
      for (const one of all) one.request(...told);
    },
  };
}
