import { basename } from 'node:path';
import { GruError, type GruModel, type LoadOptions, loadModel, type ModelSource } from 'gru-wasm';
import { UsageError } from './words.ts';

/**
 * `loadModel`, of files that need no options of their format.
 *
 * @throws GruError that says how to make such a file, where one needs them.
 */
export async function load(source: ModelSource, options?: LoadOptions): Promise<GruModel> {
  try {
    return await loadModel(source, options);
  } catch (cause) {
    if (!(cause instanceof GruError && /\{ (pytorch|onnx|keras): /.test(cause.message))) throw cause;
    const advice =
      '`gru convert MODEL -o model.safetensors` takes --layers and --onnx, and writes a file that needs none';
    throw new GruError(cause.code, `${cause.message} (${advice})`, { cause });
  }
}

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
    models.set(name, await load(path!));
  }
  return Object.fromEntries(models);
}
