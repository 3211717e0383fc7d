import { setTimeout } from 'node:timers/promises';
import type { Span, Tracer } from '@opentelemetry/api';
import type { SequenceStore } from './core/store.ts';
import type { Observer } from './service.ts';
import { VERSION } from './version.ts';
import { UsageError } from './words.ts';

/** What a client, or the code of the server, can do nothing about. */
const FAULTS = new Set(['internal', 'timeout', 'unavailable']);

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
 * OpenTelemetry spans: one a request, with the caller's as its parent where it sent a traceparent, one a batch, one a read and a write of states. They go by
 * OTLP over HTTP (JSON) to where OTEL_EXPORTER_OTLP_ENDPOINT and its like say, sampled as OTEL_TRACES_SAMPLER says.
 */
export class Tracing implements Observer {
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
    const { api, core } = this.use;
    const parent = traceparent === undefined ? null : core.parseTraceParent(traceparent);
    const context = parent
      ? api.trace.setSpanContext(api.ROOT_CONTEXT, { ...parent, isRemote: true })
      : api.ROOT_CONTEXT;
    const span = this.tracer.startSpan(
      'infer',
      {
        kind: api.SpanKind.SERVER,
        startTime: now() - milliseconds,
        attributes: { 'gru.model': model, 'gru.outcome': outcome },
      },
      context,
    );
    if (FAULTS.has(outcome)) span.setStatus({ code: api.SpanStatusCode.ERROR, message: outcome });
    span.end(now());
  }

  batch(model: string, kind: 'step' | 'run', size: number, milliseconds: number): void {
    const attributes = { 'gru.model': model, 'gru.batch.kind': kind, 'gru.batch.size': size };
    const startTime = now() - milliseconds;
    this.tracer.startSpan('batch', { startTime, attributes, root: true }).end(now());
  }

  /** The store, with a span for each read and write of states. */
  store(model: string, store: SequenceStore): SequenceStore {
    const spanned = async <T>(name: string, size: number, work: Promise<T>): Promise<T> => {
      const { api } = this.use;
      const attributes = { 'gru.model': model, 'gru.states': size };
      const span: Span = this.tracer.startSpan(name, { kind: api.SpanKind.CLIENT, attributes, root: true });
      try {
        return await work;
      } catch (error) {
        span.setStatus({ code: api.SpanStatusCode.ERROR, message: String(error) });
        throw error;
      } finally {
        span.end();
      }
    };
    return {
      load: (ids) => spanned('read states', ids.length, store.load(ids)),
      save: (writes) => spanned('write states', writes.length, store.save(writes)),
      close: () => store.close(),
    };
  }
}

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
