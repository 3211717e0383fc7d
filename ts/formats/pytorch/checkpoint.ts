import { GruError } from '../../base/errors.ts';
import { ModuleBudget, moduleDict } from './module-dict.ts';
import { TorchTensor } from './tensor.ts';
import { Inert, type PickleValue, pythonType } from './values.ts';

/** A dict of a checkpoint that holds tensors by name. */
export interface Candidate {
  /** Keys that lead to it, joined by dots; empty for the file's object itself. */
  path: string;
  dict: Map<string, PickleValue>;
  /** The class, where it is what a whole pickled module holds. */
  module?: string;
}

const MAX_DEPTH = 16;
/** Dicts that an error names. */
const MAX_SHOWN = 20;

/**
 * Finds the state dict in the object of a file: the object itself, or the one dict in it that holds weights (tensors of two
 * dimensions or more). Dicts with other keys than strings are not searched: those are an optimizer's.
 *
 * @param wanted Path of the dict, as the user gave it.
 * @throws GruError `unsupported` when there is none or more than one, `invalid_argument` when the one wanted is not there.
 */
export function findStateDict(root: PickleValue, wanted: string | undefined, what: string): Candidate {
  const whole = moduleDict(root);
  if (whole && wanted === undefined) return { path: '', dict: whole, module: (root as Inert).name };
  if (!(root instanceof Map)) {
    throw new GruError(
      'unsupported',
      `${what}: the file holds ${pythonType(root)}, no state dict; use torch.save(model.state_dict(), 'model.pt')`,
    );
  }
  // Keys are joined only where they are shown: one long key may stand in many dicts.
  const all: { keys: string[]; dict: Candidate['dict']; module?: string }[] = [];
  const seen = new Set<PickleValue>();
  const budget = new ModuleBudget();
  const search = (value: PickleValue, path: string[]) => {
    if (value instanceof Inert && !seen.has(value)) {
      seen.add(value);
      const dict = moduleDict(value, budget);
      if (dict) all.push({ keys: path, dict, module: value.name });
    }
    if (!(value instanceof Map) || seen.has(value) || path.length > MAX_DEPTH) return;
    seen.add(value);
    const keys = [...value.keys()];
    if (!keys.every((key) => typeof key === 'string')) return;
    const dict = value as Map<string, PickleValue>;
    if ([...dict.values()].some((item) => item instanceof TorchTensor)) all.push({ keys: path, dict });
    for (const [key, item] of dict) search(item, [...path, key]);
  };
  search(root, []);

  const pathOf = ({ keys }: { keys: string[] }) => keys.join('.');
  const names = (list: { keys: string[] }[]) => {
    const shown = list.slice(0, MAX_SHOWN).map((found) => {
      const path = pathOf(found);
      return path === '' ? 'the whole file' : `'${path.length > 200 ? `${path.slice(0, 200)}...` : path}'`;
    });
    return shown.join(', ') + (list.length > MAX_SHOWN ? `, and ${list.length - MAX_SHOWN} more` : '');
  };
  if (wanted !== undefined) {
    const length = (keys: string[]) => keys.reduce((n, key) => n + key.length, keys.length - 1);
    const found = all.find((one) => Math.max(length(one.keys), 0) === wanted.length && pathOf(one) === wanted);
    if (found) return { path: wanted, ...withoutKeys(found) };
    const known = names(all) || 'none';
    throw new GruError('invalid_argument', `stateDict: ${what} has no dict of tensors '${wanted}'; it has ${known}`);
  }
  const candidates = all.filter(({ dict }) =>
    [...dict.values()].some((item) => item instanceof TorchTensor && item.shape.length >= 2),
  );
  const [first] = candidates;
  if (!first) throw new GruError('unsupported', `${what}: there is no state dict in it (no dict that holds weights)`);
  if (candidates.length > 1) {
    throw new GruError(
      'unsupported',
      `${what} holds several state dicts: ${names(candidates)}; name one: { pytorch: { stateDict: ${names([first])} } }`,
    );
  }
  return { path: pathOf(first), ...withoutKeys(first) };
}

function withoutKeys({ dict, module }: Omit<Candidate, 'path'>): Omit<Candidate, 'path'> {
  return { dict, ...(module === undefined ? {} : { module }) };
}

/** Names under which wrappers keep the model: DataParallel and DistributedDataParallel, torch.compile. */
const WRAPPERS = ['module.', '_orig_mod.'];

/** The wrappers' part of the names, when all of them begin with it: `module._orig_mod.`. */
export function wrapperPrefix(names: readonly string[]): string {
  // Compared at an offset: a prefix that is put together anew for each wrapper is quadratic in a long name.
  let at = 0;
  for (;;) {
    const wrapper = WRAPPERS.find((w) => names.length > 0 && names.every((name) => name.startsWith(w, at)));
    if (!wrapper) return names[0]?.slice(0, at) ?? '';
    at += wrapper.length;
  }
}
