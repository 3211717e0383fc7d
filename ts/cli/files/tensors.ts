import { zipSync } from 'fflate';
import { product, shapeText, type Tensor } from '../../base/tensor.ts';
import type { Values } from '../../base/typed-array.ts';
import { readNpz } from '../../formats/pytorch/npz.ts';
import { FloatBudget } from '../../formats/pytorch/tensor.ts';
import { readStateDict } from '../../formats/pytorch.ts';
import { headerEnd } from '../../io/safetensors.ts';
import { writeSafetensors } from '../../io/safetensors-writer.ts';
import { CommandError, EXIT, ofData } from '../exit.ts';
import { readBytes, stdin } from './bytes.ts';
import type { DataFormat } from './format.ts';
import { npyBytes, RowWriter } from './writer.ts';
import { writeWhole } from './sink.ts';

/** The tensors of a file by name, as floats; that of a `.npy` file is named ''. */
export async function readTensors(path: string, format: DataFormat): Promise<Map<string, Tensor>> {
  const bytes = path === '-' ? await readStdin() : new Uint8Array(await readBytes(path));
  const budget = new FloatBudget(bytes.length);
  const read = async () => {
    if (format === 'npz') return readNpz(bytes, path, budget);
    // An npz file of the one array is what makes a .npy readable by the same reader.
    if (format === 'npy') return readNpz(zipSync({ '.npy': [bytes, { level: 0 }] }), path, budget);
    headerEnd(bytes);
    return (await readStateDict(bytes, {}, path)).dict;
  };
  return ofData(path, async () => {
    const tensors = new Map<string, Tensor>();
    for (const [name, entry] of await read()) {
      if (typeof entry === 'string') continue;
      tensors.set(name, { data: await entry.floats(), shape: entry.shape });
    }
    return tensors;
  });
}

async function readStdin(): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of stdin()) parts.push(part);
  return new Uint8Array(Buffer.concat(parts));
}

/** Writes tensors by name: all of them as safetensors or npz, else the only one. */
export async function writeTensors(
  path: string,
  format: DataFormat,
  tensors: Record<string, Tensor<Values>>,
): Promise<void> {
  if (format === 'safetensors') return writeWhole(path, safetensorsBytes(tensors));
  if (format === 'npz') {
    const files = Object.entries(tensors).map(
      ([name, { data, shape }]) => [`${name}.npy`, npyBytes(data, shape)] as const,
    );
    return writeWhole(path, zipSync(Object.fromEntries(files), { level: 0, mtime: '1980-01-01T00:00:00' }));
  }
  const names = Object.keys(tensors);
  if (names.length > 1) {
    throw new CommandError(
      EXIT.usage,
      `${path} holds one tensor of ${names.join(', ')}: choose by --select, or write .npz or .safetensors`,
    );
  }
  const [[name, { data, shape }]] = Object.entries(tensors) as [[string, Tensor<Values>]];
  if (format !== 'npy' && format !== 'f32' && product(shape.slice(0, -2)) !== 1) {
    throw new CommandError(
      EXIT.usage,
      `${path}: ${format} holds rows of one sequence, '${name}' is of shape ${shapeText(shape)}: write .npy, .npz or .safetensors`,
    );
  }
  const dtype = data instanceof Int32Array ? 'int32' : 'float32';
  const writer = await RowWriter.open(path, format, { name, dtype, size: Math.max(shape.at(-1) ?? 1, 1) });
  try {
    await writer.write(data);
    await writer.end(shape);
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

function safetensorsBytes(tensors: Record<string, Tensor<Values>>): Uint8Array {
  return writeSafetensors(
    Object.fromEntries(
      Object.entries(tensors).map(([name, { data, shape }]) => [
        name,
        { dtype: data instanceof Int32Array ? 'I32' : 'F32', shape, data },
      ]),
    ),
  );
}
