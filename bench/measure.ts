import { flopsOf, type Case } from './cases.ts';
import type { Engine } from './engine.ts';
import type { Host, Seat } from './hosts/host.ts';
import { type CaseResult, type EngineResult, type Settings, spread } from './record.ts';
import { errorOf, reference, TOLERANCE } from './reference.ts';
import type { Reply } from './session.ts';
import { makeTask } from './task.ts';

export type Progress = (text: string) => void;

/** An engine with a case to run. */
interface Player {
  name: string;
  title: string;
  seat: Seat;
  result: EngineResult;
  spent: number;
}

/** Engines with a seat each, kept from case to case. */
export class Bench {
  private readonly seats = new Map<string, Seat>();
  /** Engines that did not start, and why. */
  readonly absent = new Map<string, Pick<EngineResult, 'status' | 'why'>>();
  private readonly host: Host;
  private readonly settings: Settings;
  private readonly progress: Progress;

  constructor(host: Host, settings: Settings, progress: Progress) {
    this.host = host;
    this.settings = settings;
    this.progress = progress;
  }

  /** Starts the engines; those that cannot run here are left out of all cases, with their reason. */
  async open(engines: Engine[]): Promise<void> {
    for (const { name } of engines) {
      this.progress(`starting ${name}`);
      const seat = await this.host.seat(name);
      const reply = await seat.ask('load', { name: '' });
      if ('result' in reply) this.seats.set(name, seat);
      else {
        const failed = 'error' in reply;
        this.absent.set(name, { status: failed ? 'failed' : 'left out', why: failed ? reply.error : reply.leftOut });
        await seat.close();
      }
    }
  }

  async close(): Promise<void> {
    for (const seat of this.seats.values()) await seat.close();
    this.seats.clear();
  }

  /** Checks what each engine makes of each case, then times those that are right, all of them taking turns. */
  async measure(heat: Case[], engines: Engine[]): Promise<CaseResult[]> {
    const players: Player[] = [];
    const results: CaseResult[] = [];
    for (const c of heat) {
      const result: CaseResult = { case: c, flops: flopsOf(c).all, engines: [] };
      results.push(result);
      this.progress(`reference of ${c.name}`);
      const right = c.loop ? undefined : reference(makeTask(c));
      for (const engine of engines) {
        const player = await this.prepare(c, engine, result.engines, right);
        if (player) players.push(player);
      }
    }
    const { warmUp, rounds, turn } = this.settings;
    for (const player of players) {
      this.progress(`warm-up: ${player.title}`);
      await this.told(player, player.seat.ask('warm', { name: player.name, milliseconds: warmUp }));
    }
    for (let round = 0; round < rounds; round++) {
      const turns = players.map((_, i) => players[(i + round) % players.length]!);
      for (const player of turns) {
        this.progress(`round ${round + 1} of ${rounds}: ${player.title}`);
        await this.turn(player, round, turn);
      }
    }
    for (const { seat, name } of players) await seat.ask('release', { name });
    return results;
  }

  /** Runs a case once; a player where it may be timed. */
  private async prepare(
    c: Case,
    engine: Engine,
    results: EngineResult[],
    right?: Float64Array,
  ): Promise<Player | undefined> {
    const takes = engine.takes(c);
    if (takes === false) return undefined;
    const result: EngineResult = { engine: engine.name, status: 'left out', rounds: [] };
    results.push(result);
    const seat = this.seats.get(engine.name);
    if (takes !== true || !seat) {
      Object.assign(result, takes !== true ? { why: takes } : this.absent.get(engine.name));
      return undefined;
    }
    this.progress(`check: ${engine.name}, ${c.name}`);
    const player = { name: c.name, title: `${engine.name}, ${c.name}`, seat, result, spent: 0 };
    const first = await this.told(player, seat.ask('prepare', { name: c.name }));
    if (!first) return undefined;
    result.firstCall = first.firstCall;
    if (right && !engine.isCeiling) result.error = errorOf(first.output, right);
    const { slowest } = this.settings;
    if (result.error !== undefined && !(result.error <= (engine.tolerance ?? TOLERANCE))) {
      Object.assign(result, { status: 'failed', why: `wrong by ${result.error.toExponential(1)}: not timed` });
    } else if (first.firstCall > slowest * 1000) {
      result.why = `left out of --quick: one call took ${(first.firstCall / 1000).toFixed(0)} ms`;
    } else {
      result.status = 'ok';
      return player;
    }
    await seat.ask('release', { name: c.name });
    return undefined;
  }

  private async turn(player: Player, round: number, milliseconds: number): Promise<void> {
    const { budget, leastRounds } = this.settings;
    if (player.result.status !== 'ok' || (player.spent > budget && round >= leastRounds)) return;
    const start = performance.now();
    const samples = await this.told(player, player.seat.ask('sample', { name: player.name, milliseconds }));
    const median = spread(samples ?? [])?.median;
    if (median !== undefined) player.result.rounds.push(median);
    player.spent += (performance.now() - start) / 1000;
  }

  /** The result; an engine that gave none is left out, or has failed. */
  private async told<T>({ result }: Pick<Player, 'result'>, asked: Promise<Reply<T>>): Promise<T | undefined> {
    const reply = await asked;
    if ('result' in reply) return reply.result;
    if ('leftOut' in reply) Object.assign(result, { status: 'left out', why: reply.leftOut });
    else Object.assign(result, { status: 'failed', why: reply.error });
    return undefined;
  }

  /** Cold starts: a fresh process or page each time, engines taking turns. */
  async coldStarts(c: Case, engines: Engine[]): Promise<CaseResult[]> {
    const right = reference(makeTask(c));
    const results = engines
      .filter((engine) => engine.takes(c) === true && !this.absent.has(engine.name))
      .map((engine): EngineResult => ({ engine: engine.name, status: 'ok', rounds: [] }));
    for (let round = 0; round < this.settings.coldStarts; round++) {
      for (const result of results) {
        if (result.status !== 'ok') continue;
        this.progress(`start ${round + 1} of ${this.settings.coldStarts}: ${result.engine}`);
        const seat = await this.host.seat(result.engine);
        const first = await this.told({ result }, seat.ask('cold', { name: c.name }));
        await seat.close();
        if (!first) continue;
        result.error = errorOf(first.output, right);
        if (result.error <= TOLERANCE) result.rounds.push(first.milliseconds * 1000);
        else Object.assign(result, { status: 'failed', why: `wrong by ${result.error.toExponential(1)}: not timed` });
      }
    }
    return [{ case: c, flops: 0, engines: results }];
  }
}
