import { GruError } from '../../base/errors.ts';
import { shapeText } from '../../base/tensor.ts';
import type { ImportedTensor } from '../report.ts';
import { describeModules } from './modules.ts';
import { listModules, type ModuleTensors, splitName } from './names.ts';
import type { StateDict } from './source.ts';

/** As modules call their tensors. */
const MODULE_TENSOR = /(^|\.)(weight|bias|running_|num_batches_|in_proj_)[^.]*$/;

/** Modules within each other that names are tried without. */
const MOST_LEFT_OUT = 16;

/** Modules beside the model that are named. */
const MOST_BESIDE = 8;

/** A tensor that a layer takes. */
export interface TakenTensor {
  name: string;
  shape: number[];
  /** A view or a copy: to be copied before it is kept. */
  floats(): Promise<Float32Array>;
}

/** The tensors of a state dict, and which of them have found a place. */
export class Tensors {
  /** Where each tensor went. */
  readonly table: ImportedTensor[] = [];
  /** The part of all names that is left out, such as `module.`. */
  private readonly prefix: string;
  private readonly dict: StateDict;
  /** Tensors that a layer takes, and that layer. */
  private readonly used = new Map<string, string>();
  /** Names that no layer has to use. */
  private readonly ignored: ReadonlySet<string>;
  private readonly optional: ReadonlySet<string>;
  private listed:
    { needed: Map<string, ModuleTensors>; all: Map<string, ModuleTensors>; prefixes: string[] } | undefined;

  /**
   * @param ignored Names that the user wants ignored: they are there for layers that name them all the same.
   * @param optional Names that need not be used, for their tensors have others too.
   */
  constructor(
    dict: StateDict,
    prefix: string,
    ignored: ReadonlySet<string> = new Set(),
    optional: ReadonlySet<string> = new Set(),
  ) {
    this.dict = dict;
    this.prefix = prefix;
    this.ignored = ignored;
    this.optional = optional;
  }

  /** A name as the user gave it, without the wrapper's prefix. */
  short(name: string): string {
    return name.startsWith(this.prefix) && !this.dict.has(name) ? name.slice(this.prefix.length) : name;
  }

  /** The name in the state dict of what the user named: without the wrapper's prefix, or with what all names begin with, or the first modules of it, left out. */
  local(name: string): string {
    const short = this.short(name);
    const { all, prefixes } = this.lists;
    const isKnown = (n: string) => this.dict.has(n) || all.has(n);
    if (isKnown(short)) return short;
    const full = short === '' ? [prefixes[0]!.slice(0, -1)] : prefixes.map((prefix) => prefix + short);
    return full.find(isKnown) ?? short;
  }

  has(name: string): boolean {
    return this.dict.has(name);
  }

  /** A module that holds tensors itself. */
  module(name: string): ModuleTensors | undefined {
    return this.lists.all.get(name);
  }

  /** The modules that hold tensors themselves, without what is ignored. */
  get modules(): Map<string, ModuleTensors> {
    return this.lists.needed;
  }

  /** Made once: a model may have many. */
  private get lists() {
    if (!this.listed) {
      const needed = new Map([...this.dict].filter(([name]) => !this.ignored.has(name)));
      this.listed = {
        needed: listModules(needed),
        all: listModules(this.dict),
        prefixes: leftOut(commonPrefix([...needed.keys()])),
      };
    }
    return this.listed;
  }

  /** The shape of a tensor; undefined when there is none of this name. */
  shape(name: string): number[] | undefined {
    const entry = this.dict.get(name);
    return typeof entry === 'string' ? undefined : entry?.shape;
  }

  /**
   * Takes a tensor for a place in the model.
   *
   * @param target Layer and key of the spec.
   * @param shape Sizes, -1 for any.
   * @throws GruError `invalid_argument` when it is missing, `unsupported` when its shape is another.
   */
  take(name: string, target: string, shape: readonly number[]): TakenTensor {
    const entry = this.dict.get(name);
    if (entry === undefined) throw this.missing(name, `for ${target}`);
    if (typeof entry === 'string') throw new GruError('unsupported', `'${name}' is ${entry}, no tensor`);
    const fits = entry.shape.length === shape.length && shape.every((d, i) => d === -1 || d === entry.shape[i]);
    if (!fits || entry.shape.includes(0)) {
      const expected = shapeText(shape.map((d) => (d === -1 ? 'any' : d)));
      throw new GruError(
        'unsupported',
        `tensor '${name}' has shape ${shapeText(entry.shape)}, ${target} takes ${expected}`,
      );
    }
    this.used.set(name, target.split(/[/ ]/, 1)[0]!);
    const { dtype } = entry;
    this.table.push({ source: this.prefix + name, shape: entry.shape, dtype, target });
    return { name, shape: entry.shape, floats: () => entry.floats() };
  }

  missing(name: string, why: string): GruError {
    const [module] = splitName(name);
    const inside = new Map([...this.modules].filter(([one]) => module !== '' && one.startsWith(`${module}.`)));
    const known =
      inside.size > 0
        ? `'${module}' holds modules: ${describeModules(inside)}`
        : `its modules: ${describeModules(this.modules)}`;
    const hint = this.besideModel(name);
    return new GruError('invalid_argument', `the state dict has no tensor '${name}' ${why}; ${known}${hint}`);
  }

  /** What to ignore where the model is one module of the file's, beside a loss or metrics. */
  private besideModel(name: string): string {
    const full = [...this.dict.keys()].find((key) => key.endsWith(`.${name}`));
    if (full === undefined) return '';
    const model = full.slice(0, -name.length);
    const others = [...this.modules.keys()].filter((module) => !`${module}.`.startsWith(model));
    if (others.length === 0 || others.length > MOST_BESIDE) return '';
    const list = others.map((module) => `'${module}'`).join(', ');
    return `. It has '${full}': { pytorch: { ignore: [${list}] } } leaves out what is beside '${model.slice(0, -1)}'`;
  }

  /** @throws GruError `unsupported` naming the tensors that no layer took. */
  checkAllUsed(): void {
    const spare = (name: string) => this.used.has(name) || this.ignored.has(name) || this.optional.has(name);
    const left = [...this.dict.keys()].filter((name) => !spare(name));
    if (left.length === 0) return;
    const shown = left.slice(0, 10).map((name) => {
      const entry = this.dict.get(name)!;
      return typeof entry === 'string' ? `'${name}' (${entry})` : `'${name}' ${shapeText(entry.shape)}`;
    });
    const more = left.length > shown.length ? `, and ${left.length - shown.length} more` : '';
    const owners = new Map([...this.used].map(([name, layer]) => [splitName(name)[0], layer]));
    const [module] = left.map((name) => splitName(name)[0]).filter((name) => name !== '' && owners.has(name));
    const strange =
      module === undefined
        ? ''
        : `; '${module}' has others that layer '${owners.get(module)!}' takes: is it another kind of module?`;
    const isOwn = (name: string) =>
      !MODULE_TENSOR.test(name) && !owners.has(splitName(name)[0]) && this.shape(name) !== undefined;
    const own = left.find(isOwn);
    const parameter =
      own === undefined
        ? ''
        : ` (a parameter is named where it is used: { mul: ['x', '${own}'] }, { matmul: '${own}' }, { positions: '${own}' })`;
    throw new GruError(
      'unsupported',
      `no layer uses ${shown.join(', ')}${more}${strange}: add their modules to { pytorch: { layers } }${parameter}, or, where the model does not ` +
        `need them, name them in { pytorch: { ignore } }`,
    );
  }
}

/** The modules' names that all names begin with, with a dot at the end: `model.`. */
function commonPrefix([first = '', ...names]: readonly string[]): string {
  let length = first.lastIndexOf('.') + 1;
  for (const name of names) {
    let same = 0;
    while (same < length && name[same] === first[same]) same++;
    if (same < length) length = first.lastIndexOf('.', same - 1) + 1;
    if (same === 0) length = 0;
  }
  return first.slice(0, length);
}

/** What names may be given without: all that they begin with, or its first modules. */
function leftOut(common: string): string[] {
  const modules = common.split('.', MOST_LEFT_OUT + 1).slice(0, -1);
  return [common, ...modules.map((_, i) => `${modules.slice(0, i + 1).join('.')}.`)];
}

/** The names that the user wants ignored. @throws GruError `invalid_argument` for one that nothing has. */
export function ignoredNames(dict: StateDict, ignore: readonly string[], prefix: string): Set<string> {
  const ignored = new Set<string>();
  for (const given of ignore) {
    const pattern = prefix !== '' && given.startsWith(prefix) ? given.slice(prefix.length) : given;
    const matches = [...dict.keys()].filter((name) => matchesPattern(name, pattern));
    if (matches.length === 0) {
      throw new GruError('invalid_argument', `pytorch.ignore: nothing in the state dict is called '${given}'`);
    }
    for (const name of matches) ignored.add(name);
  }
  return ignored;
}

/** A tensor's name against a tensor's or module's, where `*` stands for any characters. */
function matchesPattern(name: string, pattern: string): boolean {
  if (!pattern.includes('*')) return name === pattern || name.startsWith(`${pattern}.`);
  const parts = pattern.split('*');
  const [first, last] = [parts[0]!, parts.at(-1)!];
  if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= name.length - last.length;
}
