import type { ImportContext } from '../report.ts';
import { GruError } from '../../base/errors.ts';
import { openZip, type ZipArchive } from '../../io/zip.ts';
import { DTYPES } from './dtypes.ts';
import { TORCH } from './globals.ts';
import { unpickle } from './pickle.ts';
import type { StorageRef } from './storage.ts';
import { type PickleValue, pythonType } from './values.ts';

/** The object in a file of `torch.save`, and where its storages are. */
export interface TorchFile {
  root: PickleValue;
  /** How the file is written, for the report. */
  kind: string;
  /** All bytes of a storage. @throws GruError `invalid_file` when they are not there. */
  storage(ref: StorageRef): Promise<Uint8Array>;
}

/** Memory that the values of a pickle may take: small files get enough for large dicts, large ones in proportion. */
const pickleLimit = (fileBytes: number) => 24 * 2 ** 20 + 2 * fileBytes;

/** Bytes of one element of a storage; an untyped one counts bytes. */
const elementBytes = (dtype: string) => DTYPES[dtype]?.bytes ?? 1;

/** The start of the first pickle of a legacy file: `torch.serialization.MAGIC_NUMBER`, after the opcode PROTO and others. */
const MAGIC = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const MAGIC_NUMBER = 0x1950a86a20f9469cfc6cn;

/** A pickle of protocol 2 to 5. */
export function isPickle(bytes: Uint8Array): boolean {
  return bytes[0] === 0x80 && bytes[1]! >= 2 && bytes[1]! <= 5;
}

/** A zip file that holds a `data.pkl` in its only folder. */
function findPickle(names: readonly string[]): string | undefined {
  return names.find((name) => /^[^/]*\/data\.pkl$/.test(name));
}

/** Reads what torch.save writes since PyTorch 1.6: a zip file with a pickle and one file a storage. */
export async function openTorchZip(
  bytes: Uint8Array,
  what: string,
  budget?: ImportContext['budget'],
): Promise<TorchFile> {
  const zip = await openZip(bytes, what, budget);
  const pickle = findPickle(zip.names);
  if (
    !pickle &&
    zip.names.some((name) => /^(?:[^/]*\/)?(?:serialized_exported_program|models\/[^/]*)\.json$/.test(name))
  ) {
    throw new GruError(
      'unsupported',
      `${what}: a program of torch.export; save its weights alone, with torch.save(program.state_dict, 'model.pt')`,
    );
  }
  if (!pickle) {
    throw new GruError('invalid_file', `${what}: a zip file without a data.pkl is not written by torch.save`);
  }
  const folder = pickle.slice(0, -'data.pkl'.length);
  const isProgram = zip.names.some((name) => name === `${folder}constants.pkl` || name.startsWith(`${folder}code/`));
  await checkByteOrder(zip, folder, what);
  const data = await zip.read(pickle);
  const { value, end } = unpickle(data, 0, TORCH, pickleLimit(bytes.length));
  if (end !== data.length) throw new GruError('invalid_file', `${what}: ${data.length - end} bytes follow the pickle`);
  const read = new Map<string, Promise<Uint8Array>>();
  return {
    root: value,
    kind: isProgram ? 'TorchScript' : 'zip',
    storage({ key }) {
      let found = read.get(key);
      if (!found) read.set(key, (found = zip.read(`${folder}data/${key}`)));
      return found;
    },
  };
}

async function checkByteOrder(zip: ZipArchive, folder: string, what: string): Promise<void> {
  const name = `${folder}byteorder`;
  if (!zip.has(name)) return;
  if (zip.size(name) > 16) throw new GruError('invalid_file', `${what}: '${name}' is not a byte order`);
  const order = new TextDecoder().decode(await zip.read(name));
  if (order !== 'little') {
    throw new GruError('unsupported', `${what}: the byte order of its tensors is '${order}'; supported: little`);
  }
}

/** Reads what torch.save wrote before PyTorch 1.6: five pickles, then the storages one after the other. */
export function openTorchLegacy(bytes: Uint8Array, what: string): TorchFile {
  const start = bytes.subarray(0, 32);
  if (!start.some((_, i) => MAGIC.every((byte, j) => start[i + j] === byte))) {
    throw new GruError(
      'unsupported',
      `${what}: a Python pickle that torch.save did not write; use torch.save(model.state_dict(), 'model.pt')`,
    );
  }
  const fail = (why: string) => new GruError('invalid_file', `${what}: ${why}`);
  let at = 0;
  const next = (): PickleValue => {
    const { value, end } = unpickle(bytes, at, TORCH, pickleLimit(bytes.length));
    at = end;
    return value;
  };
  if (next() !== MAGIC_NUMBER) throw fail('the magic number of torch.save is damaged');
  const version = next();
  if (version !== 1001) {
    throw new GruError(
      'unsupported',
      `${what}: version ${typeof version === 'number' ? version : pythonType(version)} of the legacy format; supported: 1001`,
    );
  }
  const system = next();
  if (!(system instanceof Map)) throw fail('the description of the writing machine is damaged');
  if (system.get('little_endian') !== true) {
    throw new GruError('unsupported', `${what}: its tensors are not little-endian`);
  }

  const elementSizes = new Map<string, number>();
  const seen = (id: PickleValue) => {
    const ref = TORCH.persistent(id) as StorageRef;
    const size = elementBytes(ref.dtype);
    if ((elementSizes.get(ref.key) ?? size) !== size) throw fail(`storage ${ref.key} has two types`);
    elementSizes.set(ref.key, size);
    return ref;
  };
  const { value: root, end } = unpickle(bytes, at, { ...TORCH, persistent: seen }, pickleLimit(bytes.length));
  at = end;
  const keys = next();
  if (!Array.isArray(keys)) throw fail('the list of its storages is damaged');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const storages = new Map<string, Uint8Array>();
  for (const key of keys) {
    const elementSize = typeof key === 'string' ? elementSizes.get(key) : undefined;
    if (typeof key !== 'string' || elementSize === undefined) throw fail('it lists a storage that no tensor has');
    if (storages.has(key)) throw fail(`it lists storage ${key} twice`);
    if (bytes.length - at < 8) throw fail(`the file is truncated before storage ${key}`);
    const size = Number(view.getBigUint64(at, true)) * elementSize;
    at += 8;
    if (size > bytes.length - at)
      throw fail(`the file is truncated: ${size} bytes of storage ${key}, ${bytes.length - at} left`);
    storages.set(key, bytes.subarray(at, at + size));
    at += size;
  }
  if (at !== bytes.length) throw fail(`${bytes.length - at} bytes follow the last storage`);
  return {
    root,
    kind: 'legacy, before PyTorch 1.6',
    storage({ key }) {
      const found = storages.get(key);
      return found ? Promise.resolve(found) : Promise.reject(fail(`storage ${key} is missing`));
    },
  };
}
