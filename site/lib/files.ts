const MODEL = /\.(keras|h5|hdf5|onnx|pth?|bin|ckpt|json|npz|safetensors)$/i;
/** JSON that lies beside a model and is none. */
const BESIDE = /^(config|metadata|tokenizer\w*|.*\.index)\.json$/i;
/** Files that hold a model alone, whatever lies beside them. */
const ALONE = /\.(keras|onnx|pth?|ckpt|npz)$/i;
/** Files that hold one unless a JSON beside them says what they are weights of. */
const OR_WEIGHTS = /\.(h5|hdf5|safetensors)$/i;

/** The model is the file that a reader would be given by name; the others lie beside it. */
export function mainFile(files: readonly File[]): File | undefined {
  return files.find(({ name }) => MODEL.test(name) && !BESIDE.test(name)) ?? files[0];
}

/** What to say where files are models each: one is opened. */
export function severalModels(files: readonly File[]): string | undefined {
  const hasJson = files.some(({ name }) => /\.json$/i.test(name));
  const models = files.filter(({ name }) => ALONE.test(name) || (OR_WEIGHTS.test(name) && !hasJson));
  const json = files.filter(({ name }) => /\.json$/i.test(name) && !BESIDE.test(name));
  const all = models.length > 0 ? models : json;
  if (all.length < 2) return undefined;
  const opened = mainFile(files)!.name;
  return `${all.length} models at once (${all.map(({ name }) => name).join(', ')}): this is ${opened}. Drop one at a time, with the files that belong to it.`;
}

/** The files of a drop. @throws Error for a folder, whose content browsers give as nothing. */
export function droppedFiles(data: DataTransfer): File[] {
  for (const item of data.items) {
    const entry = item.webkitGetAsEntry();
    if (entry?.isDirectory)
      throw new Error(`'${entry.name}' is a folder: drop the files in it, the model and those that belong to it`);
  }
  return [...data.files];
}
