import { describe, expect, test } from 'vitest';
import { TORCH } from '../../ts/formats/pytorch/globals.ts';
import { unpickle } from '../../ts/formats/pytorch/pickle.ts';
import { TorchTensor } from '../../ts/formats/pytorch/tensor.ts';
import { StorageRef } from '../../ts/formats/pytorch/storage.ts';
import { Global, Inert, type PickleValue, Tuple } from '../../ts/formats/pytorch/values.ts';
import { bytes, call, global, ints, key, storage, u32, u64, utf8 } from './pickle-writer.ts';
import { refusal as refusalIn } from './refusal.ts';

const read = (pickle: string, limit = 1e6) => unpickle(bytes(pickle), 0, TORCH, limit).value;
const tuple = (...items: PickleValue[]) => new Tuple(items);

/** What an integer is as a key: no reader asks for one (collisions.test.ts). */
const INT = new Inert('an int');

function refusal(pickle: string, limit?: number): string {
  return refusalIn(() => read(pickle, limit));
}

describe('values', () => {
  test.each<[string, string, PickleValue]>([
    ['NONE', 'N', null],
    ['NEWTRUE', '\x88', true],
    ['NEWFALSE', '\x89', false],
    ['BININT', 'J\x01\x02\x03\x84', 0x84030201 - 2 ** 32],
    ['BININT1', 'K\xff', 255],
    ['BININT2', 'M\x01\xff', 0xff01],
    ['LONG1 of no bytes', '\x8a\x00', 0],
    ['LONG1', '\x8a\x02\x00\x81', -0x7f00],
    ['LONG1 of 64 bytes', `\x8a\x40${'\xff'.repeat(64)}`, -1],
    ['LONG1 beyond a double', `\x8a\x08\x01${'\x00'.repeat(6)}\x40`, 2n ** 62n + 1n],
    ['LONG4', '\x8b\x01\x00\x00\x00\x80', -128],
    ['INT', 'I-42\n', -42],
    ['INT with a plus', 'I+7\n', 7],
    ['INT as a bool', 'I01\n', true],
    ['INT as another bool', 'I00\n', false],
    ['INT of 150 digits', `I${'9'.repeat(150)}\n`, 10n ** 150n - 1n],
    ['LONG', 'L12L\n', 12],
    ['LONG without an L', 'L-12\n', -12],
    ['FLOAT', 'F-1.5e3\n', -1500],
    ['FLOAT nan', 'Fnan\n', NaN],
    ['BINFLOAT', 'G\x3f\xf8\x00\x00\x00\x00\x00\x01', 1.5 + 2 ** -52],
    ['SHORT_BINUNICODE', `\x8c\x03${utf8('\u20ac')}`, '\u20ac'],
    ['SHORT_BINSTRING', 'U\x02hi', 'hi'],
    ['BINUNICODE', `X${u32(2)}hi`, 'hi'],
    ['BINSTRING', `T${u32(2)}hi`, 'hi'],
    ['BINUNICODE8', `\x8d${u64(2)}hi`, 'hi'],
    ['a byte order mark, which is a letter', `\x8c\x04${utf8('\ufeffa')}`, '\ufeffa'],
    ['SHORT_BINBYTES', 'C\x02\x00\xff', bytes('\x00\xff')],
    ['BINBYTES', `B${u32(2)}\x00\xff`, bytes('\x00\xff')],
    ['BINBYTES8', `\x8e${u64(2)}\x00\xff`, bytes('\x00\xff')],
    ['BYTEARRAY8', `\x96${u64(2)}\x00\xff`, bytes('\x00\xff')],
    ['EMPTY_LIST', ']', []],
    ['LIST', '(K\x01K\x02l', [1, 2]],
    ['APPEND', ']K\x01aK\x02a', [1, 2]],
    ['APPENDS', ']K\x01a(K\x02K\x03e', [1, 2, 3]],
    ['EMPTY_TUPLE', ')', tuple()],
    ['TUPLE', 'K\x00(K\x01K\x02t\x86', tuple(0, tuple(1, 2))],
    ['TUPLE1', 'K\x01\x85', tuple(1)],
    ['TUPLE2', 'K\x01K\x02\x86', tuple(1, 2)],
    ['TUPLE3', 'K\x01K\x02K\x03\x87', tuple(1, 2, 3)],
    ['EMPTY_DICT', '}', new Map()],
    ['DICT', '(K\x01K\x02K\x03K\x04d', new Map([[INT, 2], [new Inert('an int'), 4]])],
    ['SETITEM', '}K\x01K\x02s', new Map([[INT, 2]])],
    ['SETITEMS', '}(K\x01K\x02K\x03K\x04u', new Map([[INT, 2], [new Inert('an int'), 4]])],
    ['EMPTY_SET', '\x8f', new Set()],
    ['ADDITEMS', '\x8f(K\x01K\x02\x90', new Set([INT, new Inert('an int')])],
    ['FROZENSET', '(K\x01K\x02\x91', new Set([INT, new Inert('an int')])],
    ['POP', 'K\x01K\x020', 1],
    ['POP_MARK', 'K\x01(K\x02K\x031', 1],
    ['DUP', 'K\x012\x86', tuple(1, 1)],
    ['BINPUT and BINGET', 'K\x07q\x050K\x08h\x05\x86', tuple(8, 7)],
    ['PUT and GET', 'K\x07p300\n0K\x08g300\n\x86', tuple(8, 7)],
    ['LONG_BINPUT and LONG_BINGET', `K\x07r${u32(70000)}0K\x08j${u32(70000)}\x86`, tuple(8, 7)],
    ['MEMOIZE, which counts', 'K\x07\x940K\x08\x94h\x01h\x00\x87', tuple(8, 8, 7)],
    ['PROTO 5', '\x80\x05N', null],
    ['FRAME to the end', `\x95${u64(2)}N`, null],
    ['GLOBAL', global('torch.float32'), new Global('torch.float32')],
    ['STACK_GLOBAL', `${key('torch')}${key('float32')}\x93`, new Global('torch.float32')],
    ['NEWOBJ', `${global('torch.device')})\x81`, new Inert('torch.device')],
  ])('%s', (_, pickle, value) => {
    expect(read(`${pickle}.`)).toStrictEqual(value);
  }); // prettier-ignore

  test('end where the pickle ends', () => {
    expect(unpickle(bytes('xxK\x01.K\x02.'), 2, TORCH, 100)).toEqual({ value: 1, end: 5 });
  });
});

describe('damaged', () => {
  test.each<[string, string, RegExp]>([
    ['nothing to end with', '.', /byte 0: nothing is left/],
    ['nothing to double', '2.', /nothing is left/],
    ['nothing to keep', 'q\x00.', /nothing is left/],
    ['nothing above a mark to pop', 'N(0.', /nothing is left/],
    ['nothing above a mark to double', 'N(2.', /nothing is left/],
    ['a tuple of no mark', 'Nt.', /byte 1: there is no mark/],
    ['a mark left over', '(N.', /left over/],
    ['a value left over', 'NN.', /left over/],
    ['a memo of nothing', 'h\x05.', /as number 5/],
    ['an item added to None', 'NNa.', /added to None/],
    ['items added to a tuple', ')(e.', /added to a tuple/],
    ['items added to a list as to a set', '](\x90.', /added to a list/],
    ['an item set in a list', ']NNs.', /set in a list/],
    ['a key without a value', '}(Nu.', /key without a value/],
    ['a key without a value in DICT', '(Nd.', /key without a value/],
    ['a name of no string', `N${key('a')}\x93.`, /name of a class/],
    ['a name of two, one no string', `${key('a')}N\x93.`, /name of a class/],
    ['arguments in a list', `${global('torch.device')}]R.`, /REDUCE: the arguments are a list/],
    ['arguments in a list of NEWOBJ', `${global('torch.device')}]\x81.`, /NEWOBJ: the arguments are a list/],
    ['a string called', `${key('a')})R.`, /a str cannot be called/],
    ['a constant called', `${global('torch.float32')})R.`, /unsupported: .*torch\.float32/],
    ['protocol 6', '\x80\x06N.', /unsupported: pickle protocol 6/],
    ['a frame one byte too long', `\x95${u64(3)}N.`, /a frame is cut off/],
    ['a string one byte too long', '\x8c\x03a.', /3 bytes are said to follow, 2 do/],
    ['a string that is not UTF-8', '\x8c\x02\xc3(.', /not UTF-8/],
    ['no integer', 'I4x\n.', /'4x' is no integer/],
    ['no digits', 'I\n.', /'' is no integer/],
    ['a number before letters', 'Ix4\n.', /'x4' is no integer/],
    ['an integer of 151 digits', `I${'9'.repeat(151)}\n.`, /is no integer/],
    ['an integer of 65 bytes', `\x8a\x41${'\x00'.repeat(65)}.`, /an integer of 65 bytes/],
    ['no float', 'Fx\n.', /'x' is no number/],
    ['a line without an end', 'I42', /a line does not end/],
    ['a line of 1000 letters', `c${'a'.repeat(1000)}\nb\n.`, /a line does not end/],
    ['a line of 999 letters', `c${'a'.repeat(999)}\nb\n)R0.`, /nothing is left/],
    ['an unknown opcode', 'N\xff.', /byte 1: 255 is no opcode/],
    ...['iINST', 'oOBJ', '\x92NEWOBJ_EX', '\x82EXT1', '\x83EXT2', '\x84EXT4', '\x97NEXT_BUFFER', '\x98READONLY_BUFFER',
      'PPERSID', 'SSTRING', 'VUNICODE'].map((one): [string, string, RegExp] => [one.slice(1), `${one[0]!}.`, RegExp(`unsupported: .*opcode ${one.slice(1)},`)]),
  ])('%s', (_, pickle, message) => {
    const refused = refusal(pickle);
    expect(refused).toMatch(message);
    if (!message.source.includes('unsupported') && !message.source.includes('refers')) expect(refused).toMatch(/^invalid_file/);
  }); // prettier-ignore
});

describe('memory', () => {
  const N = 1000;
  const times = (one: string) => one.repeat(N);
  const tuples = (one: string) => `(${times(one)}t`;
  const numbers = (one: (number: string) => string) =>
    Array.from({ length: N }, (_, i) => one(`M${String.fromCharCode(i & 255, i >> 8)}`)).join('');
  /** A value of a thousand, taken by a call that makes nothing of it. */
  const given = (value: string) => `${value}q\x00${call('torch.device', 'h\x00')}\x86`;

  /** Of a thousand, each costs at least what an engine takes, and not so much more that a model would be refused. */
  test.each<[string, string, number, number]>([
    ['a value', tuples('N'), 16, 17],
    ['a mark', `N${times('(N1')}`, 32, 33],
    ['a letter', `X${u32(N)}${times('a')}`, 2, 2.2],
    ['an integer', tuples('\x8a\x01\x01'), 80, 81],
    ['a long integer', tuples('\x8b\x01\x00\x00\x00\x01'), 80, 81],
    ['an integer in digits', tuples('L1\n'), 80, 81],
    ['bytes', tuples('C\x00'), 272, 273],
    ['long bytes', tuples(`B${u32(0)}`), 272, 273],
    ['longer bytes', tuples(`\x8e${u64(0)}`), 272, 273],
    ['a list', tuples(']'), 80, 81],
    ['a list of a mark', tuples('(l'), 96, 97],
    ['an item', `](${times('N')}e`, 32, 33],
    ['an item alone', `]${times('Na')}`, 32, 33],
    ['an empty tuple', tuples(')'), 80, 81],
    ['a tuple', tuples('N\x85'), 160, 161],
    ['a tuple of a mark', tuples('(t'), 160, 161],
    ['a dict', tuples('}'), 272, 273],
    ['a dict of a mark', tuples('(d'), 288, 289],
    ['a key and a value', `}(${times('NN')}u`, 128, 129],
    ['a key and a value alone', `}${times('NNs')}`, 128, 129],
    ['a set', tuples('\x8f'), 272, 273],
    ['an item of a set', `\x8f(${times('N')}\x90`, 64, 65],
    ['an item of a frozen set', `(${times('N')}\x91`, 64, 65],
    ['a frozen set', tuples('(\x91'), 288, 289],
    ['a memo', `N${times('\x94')}`, 48, 49],
    ['a memo read', `N\x940${tuples('h\x00')}`, 16, 17],
    ['a name', tuples('ctorch\nint8\n'), 272, 273],
    ['a name from the stack', tuples(`${key('torch')}${key('int8')}\x93`), 322, 323],
    ['a call', tuples('ctorch\ndevice\n)R'), 624, 626],
    ['a storage', tuples(storage()), 272, 900],
    ['a list that a call takes', given(`](${times('N')}e`), 80, 82],
    ['a dict that a call takes', given(`}(${numbers((n) => `${n}N`)}u`), 176, 178],
    ['a set that a call takes', given(`\x8f(${numbers((n) => n)}\x90`), 112, 114],
    ['a tuple that a call takes', given(tuples('N')), 32, 34],
    ['a tuple in a tuple that a call takes', given(`${tuples('N')}\x85`), 32, 34],
    ['a string that a call takes', given(`X${u32(N)}${times('a')}`), 3, 5],
  ])('%s', (_, pickle, least, most) => {
    expect(read(`${pickle}.`, most * N)).toBeDefined();
    expect(refusal(`${pickle}.`, least * N - 1)).toMatch(/unsupported: .*too many values/);
  }); // prettier-ignore

  test('is enough to the last byte', () => {
    expect(read('N.', 16)).toBeNull();
    expect(refusal('N.', 15)).toMatch(/too many values/);
  });
});

describe('tensors', () => {
  const shape = (...sizes: number[]) => ints(...sizes);
  const v2 = (...more: string[]) =>
    call('torch._utils._rebuild_tensor_v2', storage(), 'K\x01', shape(2, 3), shape(3, 1), '\x89', 'N', ...more);
  const plain = new TorchTensor(new StorageRef('k', 'float32', 12), 'float32', 1, [2, 3], [3, 1]);
  const arguments_ = `(${storage()}K\x01${shape(2, 3)}${shape(3, 1)}\x89Nt`;
  const v3 = (dtype: string, type: string, elements = 'K\x0c') =>
    call('torch._utils._rebuild_tensor_v3', storage({ type: global(type), elements }), 'K\x01', shape(2, 3), shape(3, 1), '\x89', 'N', dtype); // prettier-ignore

  test.each<[string, string, PickleValue]>([
    ['of version 1', call('torch._utils._rebuild_tensor', storage(), 'K\x01', shape(2, 3), shape(3, 1)), plain],
    ['of version 2', v2(), plain],
    ['without flags', v2('N'), plain],
    ['with flags unset', v2(`}${key('conj')}\x89s`), plain],
    ['with a shape in lists', call('torch._utils._rebuild_tensor', storage(), 'K\x01', ']K\x02aK\x03a', ']K\x03aK\x01a'), plain],
    ['of no element', call('torch._utils._rebuild_tensor', storage(), 'K\x00', shape(0, 3), shape(3, 1)), new TorchTensor(new StorageRef('k', 'float32', 12), 'float32', 0, [0, 3], [3, 1])],
    ['of version 3', v3(global('torch.int32'), 'torch.FloatStorage'), new TorchTensor(new StorageRef('k', 'float32', 12), 'int32', 1, [2, 3], [3, 1])],
    ['of an untyped storage', v3(global('torch.int16'), 'torch.storage.UntypedStorage', 'K\x0f'), new TorchTensor(new StorageRef('k', 'int16', 7), 'int16', 1, [2, 3], [3, 1])],
    ['in a parameter', call('torch._utils._rebuild_parameter', v2(), '\x88', '}'), plain],
    ['in a parameter with state', call('torch._utils._rebuild_parameter_with_state', v2(), '\x88', '}', '}'), plain],
    ...['torch.Tensor', 'torch.nn.parameter.Parameter', 'torch.nn.parameter.Buffer'].map((type): [string, string, PickleValue] =>
      [`as a ${type}`, call('torch._tensor._rebuild_from_type_v2', global('torch._utils._rebuild_tensor_v2'), global(type), arguments_, '}'), plain]),
  ])('%s', (_, pickle, value) => {
    expect(read(`${pickle}.`)).toStrictEqual(value);
  }); // prettier-ignore

  test.each(['FloatStorage float32', 'DoubleStorage float64', 'HalfStorage float16', 'BFloat16Storage bfloat16', 'LongStorage int64',
    'IntStorage int32', 'ShortStorage int16', 'CharStorage int8', 'ByteStorage uint8', 'BoolStorage bool', 'ComplexFloatStorage complex64',
    'ComplexDoubleStorage complex128', 'cuda.HalfStorage float16', 'UntypedStorage untyped', 'storage._UntypedStorage untyped'])('a storage: %s', (names) => {
    const [name, dtype] = names.split(' ') as [string, string];
    expect(read(`${storage({ type: global(`torch.${name}`) })}.`)).toStrictEqual(new StorageRef('k', dtype, 12));
  }); // prettier-ignore

  test.each<[string, string, number, number]>([
    ['all of it', 'N', 12, 0],
    ['to the end', `(${key('v')}K\x04K\x08t`, 8, 4],
  ])('a view of a storage: %s', (_, view, elements, start) => {
    expect(read(`${storage({ view })}.`)).toStrictEqual(new StorageRef('k', 'float32', elements, start));
  });

  const version1 = (...args: string[]) => call('torch._utils._rebuild_tensor', ...args);
  const many = (n: number, of = 1) => `(${`K${String.fromCharCode(of)}`.repeat(n)}t`;
  test('of 64 dimensions', () => {
    expect(read(`${version1(storage(), 'K\x00', many(64), many(64))}.`)).toBeInstanceOf(TorchTensor);
    expect(refusal(`${version1(storage(), 'K\x00', many(65), many(65))}.`)).toMatch(/shape of a tensor is a tuple/);
  });

  test.each<[string, string, RegExp]>([
    ['no storage', version1('N', 'K\x00', shape(1), shape(1)), /a tensor's storage is None/],
    ['a shape that is none', version1(storage(), 'K\x00', 'N', shape(1)), /the shape of a tensor is None/],
    ['strides that are none', version1(storage(), 'K\x00', shape(1), 'N'), /the strides of a tensor is None/],
    ['a stride too few', version1(storage(), 'K\x00', shape(1, 1), shape(1)), /other numbers of dimensions/],
    ['a size that is no integer', version1(storage(), 'K\x00', `(G\x3f\xf8${'\x00'.repeat(6)}t`, shape(1)), /shape of a tensor is 1\.5/],
    ['a negative size', version1(storage(), 'K\x00', shape(-1), shape(1)), /shape of a tensor is -1/],
    ['a size in letters', version1(storage(), 'K\x00', `${key('1')}\x85`, shape(1)), /shape of a tensor is a str/],
    ['a shape beyond 2^53', version1(storage(), 'K\x00', shape(2 ** 30, 0, 2 ** 30), shape(0, 0, 0)), /a shape is too large/],
    ['no offset', version1(storage(), 'N', shape(1), shape(1)), /the offset of a tensor is None/],
    ['an untyped storage without a dtype', version1(storage({ type: global('torch.UntypedStorage') }), 'K\x00', shape(1), shape(1)), /has no dtype/],
    ['a dtype that is none', v3('N', 'torch.UntypedStorage'), /dtype of a tensor is None/],
    ['a dtype that is a class', v3(global('torch.nn.parameter.Buffer'), 'torch.UntypedStorage'), /dtype of a tensor is torch\.nn\.parameter\.Buffer/],
    ['a dtype of no width', v3(global('torch.Tensor'), 'torch.UntypedStorage'), /has no dtype/],
    ['a flag', v2(`}${key('conj')}\x88s`), /unsupported: .*flag 'conj'/],
    ['a flag of no name', v2('}N\x88s'), /unsupported: .*flag 'None'/],
    ['flags in a list', v2(']'), /the metadata of a tensor are a list/],
    ['a flag of version 3', call('torch._utils._rebuild_tensor_v3', storage(), 'K\x00', shape(1), shape(1), '\x89', 'N', global('torch.float32'), `}${key('neg')}\x88s`), /unsupported: .*flag 'neg'/],
    ['a parameter of None', call('torch._utils._rebuild_parameter', 'N'), /a parameter is None/],
    ['a parameter with state of None', call('torch._utils._rebuild_parameter_with_state', 'N'), /a parameter is None/],
    ['another type', call('torch._tensor._rebuild_from_type_v2', global('torch._utils._rebuild_tensor_v2'), global('torch.Size'), arguments_), /rebuilt as torch\.Size/],
    ['no type', call('torch._tensor._rebuild_from_type_v2', global('torch._utils._rebuild_tensor_v2'), key('torch.Tensor'), arguments_), /rebuilt as a str/],
    ['another way to build', call('torch._tensor._rebuild_from_type_v2', global('torch.Size'), global('torch.Tensor'), `${arguments_}\x85`), /from torch\.Size/],
    ['no way to build', call('torch._tensor._rebuild_from_type_v2', 'N', global('torch.Tensor'), arguments_), /from None/],
    ['arguments in a list', call('torch._tensor._rebuild_from_type_v2', global('torch._utils._rebuild_tensor_v2'), global('torch.Tensor'), ']'), /rebuilt as torch\.Tensor/],
    ['a persistent id of None', 'NQ', /a persistent id is None/],
    ['a persistent id of another kind', `(${key('stor')}tQ`, /a persistent id means stor/],
    ['a persistent id of no kind', '(NtQ', /a persistent id means None/],
    ['a module', `(${key('module')}tQ`, /invalid_file: .*a persistent id means module/],
    ['a storage of no type', storage({ type: 'N' }), /a storage's type is None/],
    ['a storage of another type', storage({ type: global('torch.Size') }), /a storage's type is torch\.Size/],
    ['a storage of a number', storage({ id: 'K\x01' }), /the key of a storage is an int/],
    ['a storage of no size', storage({ elements: 'N' }), /the size of a storage is None/],
    ['a view past its storage', storage({ view: `(${key('v')}K\x04K\x09t` }), /ends at element 13 of 12/],
    ['a view that is none', storage({ view: ']' }), /the offset of a view is nothing/],
    ['a view of no size', storage({ view: `(${key('v')}K\x04Nt` }), /the size of a view is None/],
  ])('refused: %s', (_, pickle, message) => {
    const refused = refusal(`${pickle}.`);
    expect(refused).toMatch(message);
    if (!message.source.includes('unsupported')) expect(refused).toMatch(/^invalid_file/);
  }); // prettier-ignore
});

describe('what else a state dict holds', () => {
  const pairs = new Map([['a', 1]]);
  test.each<[string, string, PickleValue]>([
    ['an OrderedDict of nothing', call('collections.OrderedDict'), new Map()],
    ['an OrderedDict of a dict', call('collections.OrderedDict', `}${key('a')}K\x01s`), pairs],
    ['an OrderedDict of pairs', call('collections.OrderedDict', `](${key('a')}K\x01\x86e`), pairs],
    ['an OrderedDict of lists', call('collections.OrderedDict', `](]${key('a')}aK\x01ae`), pairs],
    ['a Counter', call('collections.Counter', `}${key('a')}K\x01s`), pairs],
    ['its _metadata', `}${key('a')}K\x01s}${key('_metadata')}NsN0b`, pairs],
    ['a torch.Size', call('torch.Size', 'K\x01\x85'), tuple(1)],
    ['a torch.Size of nothing', call('torch.Size'), tuple()],
    ['a device', call('torch.device', key('cpu')), new Inert('torch.device')],
    ['a layout', call('torch.serialization._get_layout', key('strided')), new Inert('torch.layout')],
    ['bytes in letters', call('_codecs.encode', `X${u32(3)}a${utf8('\xff')}`, key('latin1')), bytes('a\xff')],
    ...['builtins.set', '__builtin__.set', 'builtins.frozenset', '__builtin__.frozenset'].map((name): [string, string, PickleValue] =>
      [name, call(name, '](K\x01K\x02e'), new Set([INT, new Inert('an int')])]),
    ['a set of nothing', call('builtins.set'), new Set()],
  ])('%s', (_, pickle, value) => {
    expect(read(`${pickle}.`)).toStrictEqual(value);
  }); // prettier-ignore

  test.each<[string, string, RegExp]>([
    ['a dict of a number', call('collections.OrderedDict', 'K\x01'), /invalid_file: .*a dict is made from an int/],
    ['a dict of what is no pair', call('collections.OrderedDict', `](${key('a')}\x85e`), /invalid_file: .*else than pairs/],
    ['a dict of three', call('collections.OrderedDict', '](NNN\x87e'), /invalid_file: .*else than pairs/],
    ['a dict of None', call('collections.OrderedDict', ']Na'), /invalid_file: .*else than pairs/],
    ['a set of a number', call('builtins.set', 'K\x01'), /invalid_file: .*a set is made from an int/],
    ['bytes of bytes', call('_codecs.encode', 'C\x00', key('latin1')), /invalid_file: .*Latin-1/],
    ['bytes in UTF-8', call('_codecs.encode', key('a'), key('utf-8')), /invalid_file: .*Latin-1/],
    ['an attribute beside _metadata', `}}(${key('_metadata')}N${key('x')}Nub`, /unsupported: .*attribute 'x' of a dict/],
    ['an attribute of no name', '}}NNsb', /unsupported: .*attribute 'None' of a dict/],
    ['a state that is no dict', '}]b', /unsupported: .*attribute 'a list' of a dict/],
    ['the state of a list', ']}b', /unsupported: .*of a list/],
    ['a tensor of an unknown kind', 'ctorch._utils\n_rebuild_qtensor\n', /unsupported: .*'torch\._utils\._rebuild_qtensor'/],
    ['what runs code', 'cos\nsystem\n', /unsupported: .*'os\.system', which runs code/],
    ['what runs code in Python 2', 'c__builtin__\neval\n', /unsupported: .*'__builtin__\.eval', which runs code/],
  ])('refused: %s', (_, pickle, message) => {
    expect(refusal(`${pickle}.`)).toMatch(message);
  }); // prettier-ignore

  test.each<[string, string, string]>([
    ['a scalar', call('numpy._core.multiarray.scalar', call('numpy.dtype', key('f8')) + '}b', 'C\x00'), 'numpy._core.multiarray.scalar'],
    ['an enum', call('my.Colour', 'K\x01'), 'my.Colour'],
    ['a class within a class', `${call('builtins.getattr', global('my.A'), key('B'))}(K\x01tR`, 'builtins.getattr'],
    ['a dict of a class', `${global('easydict.EasyDict')})\x81${key('a')}K\x01s(${key('b')}K\x02u`, 'easydict.EasyDict'],
    ['a list of a class', `${global('my.List')})\x81K\x01a(K\x02K\x03e`, 'my.List'],
    ['an object of protocol 0', call('copy_reg._reconstructor', global('my.C'), global('__builtin__.object'), 'N'), 'my.C'],
    ['a class of a whole module of old', `(${key('module')}${global('my.M')}NNtQ)\x81`, 'my.M'],
  ])('%s is kept by its name only', (_, pickle, name) => {
    expect(read(`${pickle}.`)).toStrictEqual(new Inert(name));
  }); // prettier-ignore

  test('the attributes of an object are kept, with __slots__ too', () => {
    const state = `}${key('a')}K\x01s`;
    const object = `${global('my.C')})\x81`;
    for (const given of [state, `${state}}\x86`]) {
      expect(read(`${object}${given}b.`)).toMatchObject({ name: 'my.C', attributes: new Map([['a', 1]]) });
    }
    expect(read(`${object}K\x01b.`)).toStrictEqual(new Inert('my.C'));
  });

  test('a defaultdict is a dict', () => {
    expect(read(`${call('collections.defaultdict', global('builtins.list'))}${key('a')}K\x01s.`)).toEqual(new Map([['a', 1]]));
  }); // prettier-ignore

  test.each<[string, string]>([
    ['N', 'None'],
    ['\x88', 'a bool'],
    ['K\x01', 'an int'],
    [`\x8a\x08${'\x00'.repeat(7)}\x40`, 'an int'],
    [`G\x3f\xf8${'\x00'.repeat(6)}`, 'a float'],
    [key('a'), 'a str'],
    ['C\x00', 'bytes'],
    [']', 'a list'],
    ['\x8f', 'a set'],
    [')', 'a tuple'],
    [global('torch.float32'), 'torch.float32'],
    [storage(), 'a storage'],
    [call('torch._utils._rebuild_tensor', storage(), 'K\x00', ints(1), ints(1)), 'a tensor'],
  ])('is called what Python calls it', (pickle, name) => {
    expect(refusal(`${pickle}NNs.`)).toContain(`an item is set in ${name}`);
  });
});
