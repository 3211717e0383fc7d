import { basename } from 'node:path';
import { type GruModel, loadModel } from 'gru-wasm';
import { UsageError } from './words.ts';

/**
 * Models from `name=path` or a path, whose name is then that of its file without its ending.
 *
 * @throws UsageError for a name that is there twice, or that no URL can have; GruError of the file.
 */
export async function loadModels(sources: readonly string[]): Promise<Record<string, GruModel>> {
  const models = new Map<string, GruModel>();
  for (const source of sources) {
    const [, given, path] = /^(?:([^=/\\]+)=)?(.*)$/s.exec(source)!;
    const name = given ?? basename(path!).replace(/\.[^.]+$/, '');
    if (!/^[\w.-]{1,128}$/.test(name)) {
      throw new UsageError(`${name} cannot be a model's name (letters, digits, _ . -): say NAME=${path!}`);
    }
    if (models.has(name)) throw new UsageError(`two models are called ${name}: say another NAME=${path!}`);
    models.set(name, await loadModel(path!));
  }
  return Object.fromEntries(models);
}
