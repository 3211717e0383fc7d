import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { InferenceService, Observer } from './service.ts';

const SECONDS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5, 30];
const SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096];

/** What Prometheus is told. */
export class Metrics implements Observer {
  readonly registry = new Registry();
  private readonly requests = new Histogram({
    name: 'gru_request_seconds',
    help: 'From a checked request to its answer',
    labelNames: ['model', 'outcome'],
    buckets: SECONDS,
    registers: [this.registry],
  });
  private readonly batches = new Histogram({
    name: 'gru_batch_sequences',
    help: 'Sequences that ran together: kind step for live ones, run for whole ones',
    labelNames: ['model', 'kind'],
    buckets: SIZES,
    registers: [this.registry],
  });
  private readonly busy = new Counter({
    name: 'gru_batch_seconds_total',
    help: 'Time spent in batches',
    labelNames: ['model', 'kind'],
    registers: [this.registry],
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  /** Reads live sequences and waiting requests whenever it is asked. */
  watch(service: InferenceService): void {
    const gauge = (name: string, help: string, value: 'live' | 'waiting') =>
      new Gauge({
        name,
        help,
        labelNames: ['model'],
        registers: [this.registry],
        collect() {
          for (const load of service.load()) this.set({ model: load.model }, load[value]);
        },
      });
    gauge('gru_live_sequences', 'Live sequences whose state is here', 'live');
    gauge('gru_waiting_requests', 'Requests of live sequences that wait', 'waiting');
  }

  batch(model: string, kind: 'step' | 'run', size: number, milliseconds: number): void {
    this.batches.observe({ model, kind }, size);
    this.busy.inc({ model, kind }, milliseconds / 1000);
  }

  request(model: string, outcome: string, milliseconds: number): void {
    this.requests.observe({ model, outcome }, milliseconds / 1000);
  }
}
