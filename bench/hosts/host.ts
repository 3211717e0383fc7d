import type { Command, Order, Prepared, Reply } from '../session.ts';

interface Results {
  load: null;
  prepare: Prepared;
  warm: null;
  sample: number[];
  release: null;
  cold: { output: Float32Array; milliseconds: number };
}

/** An engine in a process or a page of its own. */
export interface Seat {
  ask<C extends Command>(command: C, order: Order): Promise<Reply<Results[C]>>;
  close(): Promise<void>;
}

/** Where engines run. */
export interface Host {
  kind: 'node' | 'page';
  /** Of the record: `Node 24.21.0`, `Chrome/156.0...`. */
  title: string;
  /** Of the record's file name: `node24`, `chromium`. */
  slug: string;
  /** A fresh process or page for an engine, with nothing loaded. */
  seat(engineName: string): Promise<Seat>;
  close(): Promise<void>;
}
