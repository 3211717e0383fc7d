import { GruError } from '../../base/errors.ts';
import { DTYPES, STORAGE_DTYPES } from './dtypes.ts';
import type { PickleHost } from './pickle.ts';
import { StorageRef } from './storage.ts';
import { TorchTensor } from './tensor.ts';
import { Global, Inert, keyOf, type PickleValue, pythonType, Tuple } from './values.ts';

const SAVE_STATE_DICT = "save the weights alone, with torch.save(model.state_dict(), 'model.pt')";
const UNTYPED = 'untyped';
const MAX_DIMENSIONS = 64;

type Call = (args: readonly PickleValue[]) => PickleValue;

function damaged(why: string): GruError {
  return new GruError('invalid_file', `the pickle is damaged: ${why}`);
}

/** A name in an error message. */
function label(value: PickleValue | undefined): string {
  return typeof value === 'string' ? value : pythonType(value);
}

function wholeNumber(value: PickleValue | undefined, what: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw damaged(`${what} is ${typeof value === 'number' ? value : pythonType(value)}`);
}

function wholeNumbers(value: PickleValue | undefined, what: string): number[] {
  const items = value instanceof Tuple ? value.items : Array.isArray(value) ? value : undefined;
  if (!items || items.length > MAX_DIMENSIONS) throw damaged(`the ${what} of a tensor is ${pythonType(value)}`);
  return items.map((item) => wholeNumber(item, `the ${what} of a tensor`));
}

/** A tensor as a view of a storage; `dtype` is the storage's where the arguments say none. */
function rebuildTensor(args: readonly PickleValue[], dtype?: string): TorchTensor {
  const [storage, offset, size, stride] = args;
  if (!(storage instanceof StorageRef)) throw damaged(`a tensor's storage is ${pythonType(storage)}`);
  const shape = wholeNumbers(size, 'shape');
  const strides = wholeNumbers(stride, 'strides');
  if (shape.length !== strides.length) throw damaged('a tensor has other numbers of dimensions and of strides');
  if (!Number.isSafeInteger(shape.reduce((n, d) => n * Math.max(d, 1), 1))) throw damaged('a shape is too large');
  let ref = storage;
  if (storage.dtype === UNTYPED) {
    const width = dtype === undefined ? undefined : DTYPES[dtype]?.bytes;
    if (dtype === undefined || width === undefined) throw damaged('a tensor of an untyped storage has no dtype');
    ref = new StorageRef(storage.key, dtype, Math.floor(storage.elements / width));
  }
  return new TorchTensor(ref, dtype ?? ref.dtype, wholeNumber(offset, 'the offset of a tensor'), shape, strides);
}

/** Flags of a tensor that change what its stored values mean (conjugate, negative). */
function checkFlags(metadata: PickleValue | undefined): void {
  if (metadata === undefined || metadata === null) return;
  if (!(metadata instanceof Map)) throw damaged(`the metadata of a tensor are ${pythonType(metadata)}`);
  for (const [flag, value] of metadata) {
    if (value !== false) {
      throw new GruError(
        'unsupported',
        `a tensor has the flag '${label(flag)}'; save a copy: tensor.resolve_conj().resolve_neg()`,
      );
    }
  }
}

function expectTensor(value: PickleValue | undefined): TorchTensor {
  if (value instanceof TorchTensor) return value;
  throw damaged(`a parameter is ${pythonType(value)}`);
}

/** The items of a list as pairs: how Python 2 wrote an OrderedDict. */
function fromPairs(list: PickleValue | undefined): Map<PickleValue, PickleValue> {
  if (list === undefined) return new Map();
  if (list instanceof Map) return list;
  if (!Array.isArray(list)) throw damaged(`a dict is made from ${pythonType(list)}`);
  return new Map(
    list.map((pair): [PickleValue, PickleValue] => {
      const items = pair instanceof Tuple ? pair.items : Array.isArray(pair) ? pair : [];
      if (items.length !== 2) throw damaged('a dict is made from something else than pairs');
      return [keyOf(items[0]!), items[1]!];
    }),
  );
}

function makeSet([items]: readonly PickleValue[]): Set<PickleValue> {
  if (items === undefined) return new Set();
  if (!Array.isArray(items)) throw damaged(`a set is made from ${pythonType(items)}`);
  return new Set(items.map(keyOf));
}

/** Bytes as pickle protocol 2 writes them: text in Latin-1, to be encoded. */
function encode([text, encoding]: readonly PickleValue[]): Uint8Array {
  if (typeof text !== 'string' || encoding !== 'latin1') throw damaged('bytes are not written as Latin-1');
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

const CALLS: Record<string, Call> = {
  'collections.OrderedDict': ([pairs]) => fromPairs(pairs),
  'collections.Counter': ([pairs]) => fromPairs(pairs),
  // Its first argument makes what is missing.
  'collections.defaultdict': ([, pairs]) => fromPairs(pairs),
  'torch._utils._rebuild_tensor': (args) => rebuildTensor(args),
  'torch._utils._rebuild_tensor_v2': (args) => {
    checkFlags(args[6]);
    return rebuildTensor(args);
  },
  'torch._utils._rebuild_tensor_v3': (args) => {
    checkFlags(args[7]);
    const dtype = args[6] instanceof Global ? /^torch\.(\w+)$/.exec(args[6].name)?.[1] : undefined;
    if (dtype === undefined) throw damaged(`the dtype of a tensor is ${pythonType(args[6])}`);
    return rebuildTensor(args, dtype);
  },
  'torch._utils._rebuild_parameter': ([data]) => expectTensor(data),
  'torch._utils._rebuild_parameter_with_state': ([data]) => expectTensor(data),
  'torch._tensor._rebuild_from_type_v2': ([build, type, args]) => {
    const plain = type instanceof Global && /^torch\.(Tensor|nn\.parameter\.(Parameter|Buffer))$/.test(type.name);
    // Not itself: that could go on and on.
    const builds = build instanceof Global && /^torch\._utils\._rebuild_(tensor|parameter)/.test(build.name);
    if (!plain || !builds || !build.call || !(args instanceof Tuple)) {
      throw damaged(`a tensor is rebuilt as ${pythonType(type)} from ${pythonType(build)}`);
    }
    return expectTensor(build.call(args.items));
  },
  'torch.Size': ([sizes]) => sizes ?? new Tuple([]),
  'torch.device': () => new Inert('torch.device'),
  'torch.serialization._get_layout': () => new Inert('torch.layout'),
  '_codecs.encode': encode,
  // Objects as protocols 0 and 1 write them: class, base class, state of the base.
  'copyreg._reconstructor': ([type]) => new Inert(label(type)),
  'copy_reg._reconstructor': ([type]) => new Inert(label(type)),
  // Lists of TorchScript, with their type or of one type.
  'torch.jit._pickle.restore_type_tag': ([value]) => value ?? null,
  'builtins.set': makeSet,
  '__builtin__.set': makeSet,
  'builtins.frozenset': makeSet,
  '__builtin__.frozenset': makeSet,
};

const STORAGES: Record<string, string> = {
  'torch.storage.UntypedStorage': UNTYPED,
  'torch.storage._UntypedStorage': UNTYPED,
  'torch.UntypedStorage': UNTYPED,
  ...Object.fromEntries(
    Object.entries(STORAGE_DTYPES).flatMap(([name, dtype]) => [
      [`torch.${name}`, dtype],
      [`torch.cuda.${name}`, dtype],
    ]),
  ),
};

/**
 * The names that mean something here; all stand for plain data, none is looked up in Python or JavaScript. They are what
 * state dicts and checkpoints need of the names that `torch.load(weights_only=True)` allows. Any other is the name of an object.
 */
const GLOBALS: ReadonlyMap<string, Global> = new Map(
  [
    ...Object.entries(CALLS).map(([name, call]) => new Global(name, call)),
    ...Object.keys(STORAGES).map((name) => new Global(name)),
    ...Object.keys(DTYPES).map((dtype) => new Global(`torch.${dtype}`)),
    ...['torch.Tensor', 'torch.nn.parameter.Parameter', 'torch.nn.parameter.Buffer'].map((name) => new Global(name)),
  ].map((global) => [global.name, global]),
);

/** The storage that a persistent id means: `('storage', type, key, location, elements)`, in legacy files also a view of it. */
function readPersistent(id: PickleValue): StorageRef | Global {
  if (!(id instanceof Tuple)) throw damaged(`a persistent id is ${pythonType(id)}`);
  const [kind, type, key, , elements, view] = id.items;
  // A class of a whole module, with its source, as torch.save wrote before PyTorch 1.6.
  if (kind === 'module' && type instanceof Global) return type;
  if (kind !== 'storage') throw damaged(`a persistent id means ${typeof kind === 'string' ? kind : pythonType(kind)}`);
  const dtype = type instanceof Global ? STORAGES[type.name] : undefined;
  if (dtype === undefined) throw damaged(`a storage's type is ${pythonType(type)}`);
  if (typeof key !== 'string') throw damaged(`the key of a storage is ${pythonType(key)}`);
  const count = wholeNumber(elements, 'the size of a storage');
  if (view === undefined || view === null) return new StorageRef(key, dtype, count);
  const [, offset, size] = view instanceof Tuple ? view.items : [];
  const start = wholeNumber(offset, 'the offset of a view');
  const viewed = wholeNumber(size, 'the size of a view');
  if (start + viewed > count) throw damaged(`a view of a storage ends at element ${start + viewed} of ${count}`);
  return new StorageRef(key, dtype, viewed, start);
}

/** Modules of Python that run what they are given: only an attack on whoever loads the file in Python names them. */
const RUNS =
  /^(?:os|nt|posix|posixpath|ntpath|sys|subprocess|socket|shutil|pty|ctypes|importlib|runpy|code|codeop|pip|webbrowser|asyncio|multiprocessing|pickle|marshal|types|operator|functools|builtins|__builtin__)$/;
/** Of those, names that are classes of plain values. */
const PLAIN =
  /^(?:(?:builtins|__builtin__)\.(?:object|list|dict|tuple|set|frozenset|int|long|float|bool|str|unicode|bytes|bytearray|complex|slice|range|xrange|getattr|type)|types\.SimpleNamespace|functools\.partial)$/;
/** Where PyTorch's functions that rebuild tensors are: one that is not known makes a tensor of a kind that is not known. */
const TENSORS = /^torch(?:\.storage|\._.*|\.sparse.*|\.distributed.*)?$/;

/** What quantize_dynamic and its like leave in a state dict: packed parameters, and tensors with scales. */
const QUANTIZED = /^torch\.(?:ScriptObject|_utils\._rebuild_qtensor)$/;

/** What {@link unpickle} asks about the names in a file of `torch.save`. */
export const TORCH: PickleHost = {
  global(module, name) {
    const full = `${module}.${name}`;
    const found = GLOBALS.get(full);
    if (found) return found;
    if (QUANTIZED.test(full)) {
      throw new GruError(
        'unsupported',
        `the file refers to '${full}': weights that PyTorch has quantized or packed are not read; save the state dict of the model from before that (loadModel's { precision: 'i8' } quantizes it here)`,
      );
    }
    if (TENSORS.test(module)) {
      throw new GruError(
        'unsupported',
        `the file refers to '${full}', and tensors of that kind are not read; ${SAVE_STATE_DICT}`,
      );
    }
    if (RUNS.test(module) && !PLAIN.test(full)) {
      throw new GruError(
        'unsupported',
        `the file refers to '${full}', which runs code in Python: do not load it there, and do not trust its source`,
      );
    }
    return new Global(full, () => new Inert(full));
  },
  persistent: readPersistent,
  build(target, state) {
    if (target instanceof Inert) {
      // Of a class with __slots__ the state is a pair: attributes, slots.
      const attributes = state instanceof Tuple ? state.items[0] : state;
      target.attributes = attributes instanceof Map ? attributes : undefined;
      return;
    }
    // state_dict() keeps version numbers of the modules in an attribute of its OrderedDict.
    const keys = state instanceof Map ? [...state.keys()] : [pythonType(state)];
    const stray = keys.find((key) => key !== '_metadata');
    if (!(target instanceof Map) || stray !== undefined) {
      throw new GruError('unsupported', `the pickle sets the attribute '${label(stray)}' of ${pythonType(target)}`);
    }
  },
};
