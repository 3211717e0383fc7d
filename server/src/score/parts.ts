import { access, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandError, EXIT, FileSink, filled } from 'gru-wasm/command';
import { FORMATS } from './formats/index.ts';
import { FORMAT, type Plan, planId } from './plan.ts';

const PLAN = 'plan.json';
const PARTS = '.parts';

/**
 * The folder beside the output with the plan and the results of each shard. A part is written beside its place and renamed: that it is there is the
 * journal of what is done, and a shard that is done twice leaves the same part.
 */
export class Parts {
  readonly folder: string;
  readonly plan: Plan;
  readonly id: string;

  private constructor(folder: string, plan: Plan) {
    this.folder = folder;
    this.plan = plan;
    this.id = planId(plan);
  }

  /** Begins, or goes on with what an earlier run has left. @throws CommandError where that was another run. */
  static async begin(plan: Plan): Promise<Parts> {
    const folder = plan.output.path + PARTS;
    const parts = new Parts(folder, plan);
    await mkdir(folder, { recursive: true });
    const found = await Parts.open(folder).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    });
    if (!found) await writeFile(join(folder, PLAN), Buffer.from(JSON.stringify(plan)));
    else if (found.id !== parts.id) {
      const text = 'it holds parts of another input, model or choice of options: delete it to start anew';
      throw new CommandError(EXIT.usage, `${folder}: ${text}`);
    }
    return parts;
  }

  /** Those that another process has begun. */
  static async open(folder: string): Promise<Parts> {
    const path = join(folder, PLAN);
    const plan = JSON.parse(await readFile(path, 'utf8')) as Plan;
    if (plan.format === FORMAT) return new Parts(folder, plan);
    throw new CommandError(EXIT.file, `${path} is of another version of gru-wasm-server`);
  }

  /** Whether the output of that folder is in its place, and the folder gone. */
  static async areJoined(folder: string): Promise<boolean> {
    const isThere = (path: string) =>
      access(path).then(
        () => true,
        () => false,
      );
    return !(await isThere(folder)) && (await isThere(folder.slice(0, -PARTS.length)));
  }

  /** Shards that have no part yet. */
  async missing(): Promise<number[]> {
    const names = new Set(await readdir(this.folder));
    return [...this.plan.shards.keys()].filter((shard) => !names.has(this.nameOf(shard)));
  }

  write(shard: number, bytes: Uint8Array): Promise<void> {
    return writeFile(join(this.folder, this.nameOf(shard)), bytes);
  }

  /** Puts the output in its place, and takes the parts away. */
  async join(): Promise<void> {
    const { format, path, columns } = this.plan.output;
    await filled(await FileSink.open(path), (sink) => FORMATS[format].join(this.all(), columns, sink));
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  private async *all(): AsyncGenerator<Uint8Array> {
    for (const shard of this.plan.shards.keys()) yield await readFile(join(this.folder, this.nameOf(shard)));
  }

  private nameOf(shard: number): string {
    return `${String(shard).padStart(6, '0')}.${this.plan.output.format}`;
  }
}

async function writeFile(path: string, bytes: Uint8Array): Promise<void> {
  await filled(await FileSink.open(path), (sink) => sink.write(bytes));
}
