import { CommandError, EXIT } from 'gru-wasm/command';
import type { Files } from './files/files.ts';
import { filesOf } from './files/index.ts';
import { FORMATS } from './formats/index.ts';
import { FORMAT, type Plan, planId } from './plan.ts';

const PLAN = 'plan.json';
const PARTS = '.parts';

/** Parts that are fetched while the output is put together: where each is a request, waiting for one after another would take minutes. */
const AHEAD = 8;

/** Parts need not be alike, and those of an object are to be large enough for all. */
const SPARE = 4;

/**
 * The folder beside the output with the plan and the results of each shard. A part is whole or not there, by a rename or as one object: that it is there is the
 * journal of what is done, and a shard that is done twice leaves the same part.
 */
export class Parts {
  readonly folder: string;
  readonly plan: Plan;
  readonly id: string;
  private readonly files: Files;

  private constructor(folder: string, plan: Plan) {
    this.folder = folder;
    this.plan = plan;
    this.id = planId(plan);
    this.files = filesOf(folder);
  }

  /** Begins, or goes on with what an earlier run has left. @throws CommandError where that was another run. */
  static async begin(plan: Plan): Promise<Parts> {
    const folder = plan.output.path + PARTS;
    const parts = new Parts(folder, plan);
    await parts.files.makeFolder(folder);
    const found = await Parts.find(folder);
    if (!found) await parts.files.write(pathOf(folder, PLAN), Buffer.from(JSON.stringify(plan)));
    else if (found.id !== parts.id) {
      const text = 'it holds parts of another input, model or choice of options: delete it to start anew';
      throw new CommandError(EXIT.usage, `${folder}: ${text}`);
    }
    return parts;
  }

  /** Those that another process has begun. @throws CommandError. */
  static async open(folder: string): Promise<Parts> {
    const found = await Parts.find(folder);
    if (found) return found;
    throw new CommandError(EXIT.file, `${pathOf(folder, PLAN)}: no such file: it is not where the run was begun`);
  }

  /** Whether the output of that folder is in its place, and the folder gone. */
  static async areJoined(folder: string): Promise<boolean> {
    const files = filesOf(folder);
    return !(await files.has(pathOf(folder, PLAN))) && (await files.has(folder.slice(0, -PARTS.length)));
  }

  /** Which shards of a folder are missing, by the run's id; undefined where nothing can be seen from here. */
  static async missingIn(folder: string): Promise<((id: string, shard: number) => boolean) | undefined> {
    try {
      if (await Parts.areJoined(folder)) return () => false;
      const parts = await Parts.find(folder);
      if (!parts) return undefined;
      const missing = new Set(await parts.missing());
      return (id, shard) => id === parts.id && missing.has(shard);
    } catch {
      return undefined;
    }
  }

  /** How many shards of a folder are done; nothing where it cannot be seen from here. */
  static async progressOf(folder: string): Promise<{ done: number; shards: number } | undefined> {
    try {
      const parts = await Parts.find(folder);
      if (!parts) return undefined;
      const { length: shards } = parts.plan.shards;
      return { done: shards - (await parts.missing()).length, shards };
    } catch {
      return undefined;
    }
  }

  private static async find(folder: string): Promise<Parts | undefined> {
    const path = pathOf(folder, PLAN);
    const bytes = await filesOf(folder).readWhole(path);
    if (!bytes) return undefined;
    const plan = planIn(bytes);
    if (plan?.format === FORMAT) return new Parts(folder, plan);
    throw new CommandError(
      EXIT.file,
      `${path} is damaged, or of another version of gru-wasm-server: delete ${folder} to start anew`,
    );
  }

  /** Milliseconds between two looks at what is missing. */
  get lookEvery(): number {
    return this.files.lookEvery;
  }

  /** Shards that have no part yet. */
  async missing(): Promise<number[]> {
    const names = await this.files.names(this.folder);
    return [...this.plan.shards.keys()].filter((shard) => !names.has(this.nameOf(shard)));
  }

  write(shard: number, bytes: Uint8Array): Promise<void> {
    return this.files.write(pathOf(this.folder, this.nameOf(shard)), bytes);
  }

  /** Puts the output in its place, and takes the parts away. */
  async join(): Promise<void> {
    const { shards, output } = this.plan;
    const { format, path, columns } = output;
    const first = shards.length > 0 ? (await this.part(0)).length : 0;
    await this.files.fill(path, SPARE * first * shards.length, (sink) =>
      FORMATS[format].join(this.all(), columns, sink),
    );
    await this.files.removeFolder(this.folder);
  }

  private async *all(): AsyncGenerator<Uint8Array> {
    const coming: Promise<Uint8Array>[] = [];
    for (const shard of this.plan.shards.keys()) {
      const part = this.part(shard);
      // That of one behind a part that has failed is not waited for.
      part.catch(() => undefined);
      coming.push(part);
      if (coming.length === AHEAD) yield await coming.shift()!;
    }
    for (const part of coming) yield await part;
  }

  private async part(shard: number): Promise<Uint8Array> {
    const path = pathOf(this.folder, this.nameOf(shard));
    const bytes = await this.files.readWhole(path);
    if (bytes) return bytes;
    throw new CommandError(EXIT.file, `${path}: no such file: somebody has deleted it`);
  }

  /** With the run's id: a worker that is late, or a folder that has been taken away by half, gives no other run a part. */
  private nameOf(shard: number): string {
    return `${String(shard).padStart(6, '0')}.${this.id}.${this.plan.output.format}`;
  }
}

function planIn(bytes: Buffer): Plan | undefined {
  try {
    return (JSON.parse(bytes.toString()) as Plan | null) ?? undefined;
  } catch {
    return undefined;
  }
}

const pathOf = (folder: string, name: string) => `${folder}/${name}`;
