import { GruError } from '../../base/errors.ts';
import { Cursor } from './cursor.ts';
import { Global, Inert, keyOf, type PickleValue, pythonType, Tuple } from './values.ts';

/** What decides over the names and storages that a pickle refers to. */
export interface PickleHost {
  /** The value of a name. @throws GruError for one that may not be read. */
  global(module: string, name: string): Global;
  /** The value of a persistent id. @throws GruError. */
  persistent(id: PickleValue): PickleValue;
  /** Sets attributes (`BUILD`). @throws GruError when they could matter. */
  build(target: PickleValue, state: PickleValue): void;
}

/** Names the opcodes read here, by their byte. */
const OP = {
  MARK: 0x28, STOP: 0x2e, POP: 0x30, POP_MARK: 0x31, DUP: 0x32, FLOAT: 0x46, INT: 0x49, BININT: 0x4a, BININT1: 0x4b,
  LONG: 0x4c, BININT2: 0x4d, NONE: 0x4e, BINPERSID: 0x51, REDUCE: 0x52, BINSTRING: 0x54, SHORT_BINSTRING: 0x55,
  BINUNICODE: 0x58, EMPTY_LIST: 0x5d, APPEND: 0x61, BUILD: 0x62, GLOBAL: 0x63, APPENDS: 0x65, GET: 0x67, BINGET: 0x68,
  LONG_BINGET: 0x6a, LIST: 0x6c, PUT: 0x70, BINPUT: 0x71, LONG_BINPUT: 0x72, SETITEM: 0x73, TUPLE: 0x74, SETITEMS: 0x75,
  EMPTY_DICT: 0x7d, DICT: 0x64, EMPTY_TUPLE: 0x29, BINFLOAT: 0x47, PROTO: 0x80, NEWOBJ: 0x81, TUPLE1: 0x85, TUPLE2: 0x86,
  TUPLE3: 0x87, NEWTRUE: 0x88, NEWFALSE: 0x89, LONG1: 0x8a, LONG4: 0x8b, BINBYTES: 0x42, SHORT_BINBYTES: 0x43,
  SHORT_BINUNICODE: 0x8c, BINUNICODE8: 0x8d, BINBYTES8: 0x8e, EMPTY_SET: 0x8f, ADDITEMS: 0x90, FROZENSET: 0x91,
  STACK_GLOBAL: 0x93, MEMOIZE: 0x94, FRAME: 0x95, BYTEARRAY8: 0x96,
} as const; // prettier-ignore

/** Opcodes that make an object of any class: never carried out. */
const REFUSED: Record<number, string> = {
  0x69: 'INST', 0x6f: 'OBJ', 0x92: 'NEWOBJ_EX', 0x82: 'EXT1', 0x83: 'EXT2', 0x84: 'EXT4', 0x97: 'NEXT_BUFFER',
  0x98: 'READONLY_BUFFER', 0x50: 'PERSID', 0x53: 'STRING', 0x56: 'UNICODE',
}; // prettier-ignore

const HIGHEST_PROTOCOL = 5;

/** Bytes that a value of each kind takes in a JavaScript engine, at most; a pickle may name some with one byte each. */
const COST = { word: 16, container: 64, map: 256, memo: 48, object: 256 };

/** Bytes that a call may make of an argument; a tuple is a shape, or the arguments of another call with shapes in it. */
function sizeOf(value: PickleValue, inner = true): number {
  if (value instanceof Map || value instanceof Set) return COST.memo * value.size;
  if (Array.isArray(value)) return COST.memo * value.length;
  if (typeof value === 'string') return value.length;
  if (!(value instanceof Tuple)) return 0;
  const own = COST.word * value.items.length;
  return inner ? value.items.reduce<number>((sum, item) => sum + sizeOf(item, false), own) : own;
}

/**
 * Reads one pickle without executing anything: names become what `host` says or an error. Containers and plain values only;
 * the result may hold cycles.
 *
 * @param limit Bytes of memory that the values may take, roughly.
 * @returns The value, and where the pickle ends.
 * @throws GruError `invalid_file` when damaged, `unsupported` for what is not read.
 */
export function unpickle(
  bytes: Uint8Array,
  start: number,
  host: PickleHost,
  limit: number,
): { value: PickleValue; end: number } {
  const input = new Cursor(bytes, start);
  const stack: PickleValue[] = [];
  const marks: number[] = [];
  /** By numbers that the file chooses: an array hashes those that lie far apart by a seed, a Map does not. */
  const memo: PickleValue[] = [];
  let kept = 0;
  let left = limit;

  const invalid = (why: string) => input.invalid(why);
  const spend = (cost: number) => {
    left -= cost;
    if (left < 0) throw new GruError('unsupported', 'the pickle holds too many values beside tensors');
  };
  const push = (value: PickleValue, cost = 0) => {
    spend(COST.word + cost);
    stack.push(value);
  };
  const pop = (): PickleValue => {
    if (stack.length <= (marks.at(-1) ?? 0)) throw invalid('nothing is left on the stack');
    return stack.pop()!;
  };
  const peek = (): PickleValue => {
    if (stack.length <= (marks.at(-1) ?? 0)) throw invalid('nothing is left on the stack');
    return stack.at(-1)!;
  };
  const popMark = (): PickleValue[] => {
    const mark = marks.pop();
    if (mark === undefined) throw invalid('there is no mark');
    return stack.splice(mark);
  };
  const string = (length: number): string => {
    spend(2 * length);
    return input.string(length);
  };
  const put = (index: number) => {
    spend(COST.memo);
    if (memo[index] === undefined) kept++;
    memo[index] = peek();
  };
  const get = (index: number): PickleValue => {
    const value = memo[index];
    if (value === undefined) throw invalid(`nothing was kept as number ${index}`);
    return value;
  };
  /** What items are added to. Of an object that stands for a list of some class, they are not kept. */
  const list = (): PickleValue[] => {
    const target = peek();
    if (target instanceof Inert) return [];
    if (!Array.isArray(target)) throw invalid(`an item is added to ${pythonType(target)}`);
    return target;
  };
  const setItems = (target: PickleValue, items: PickleValue[]) => {
    if (target instanceof Inert) return;
    if (!(target instanceof Map)) throw invalid(`an item is set in ${pythonType(target)}`);
    if (items.length % 2 !== 0) throw invalid('a dict has a key without a value');
    spend(COST.memo * items.length);
    for (let i = 0; i < items.length; i += 2) target.set(keyOf(items[i]!), items[i + 1]!);
  };
  const global = (module: PickleValue, name: PickleValue): Global => {
    if (typeof module !== 'string' || typeof name !== 'string') throw invalid('the name of a class is no string');
    return host.global(module, name);
  };
  const call = (what: string) => {
    const args = pop();
    const callee = pop();
    if (!(args instanceof Tuple)) throw invalid(`${what}: the arguments are ${pythonType(args)}`);
    if (callee instanceof Inert) {
      push(new Inert(callee.name), COST.object);
      return;
    }
    if (!(callee instanceof Global)) throw invalid(`${what}: ${pythonType(callee)} cannot be called`);
    if (!callee.call) throw new GruError('unsupported', `the pickle calls ${callee.name}, which is not read`);
    // A call may go through what it is given, again and again, and copy it.
    for (const item of args.items) spend(sizeOf(item));
    push(callee.call(args.items), COST.object);
  };

  for (;;) {
    const opcode = input.opcode();
    switch (opcode) {
      case OP.PROTO: {
        const protocol = input.u8();
        if (protocol > HIGHEST_PROTOCOL) throw new GruError('unsupported', `pickle protocol ${protocol}`);
        break;
      }
      case OP.FRAME:
        if (input.u64() > input.left) throw invalid('a frame is cut off');
        break;
      case OP.STOP: {
        const value = pop();
        if (stack.length > 0 || marks.length > 0) throw invalid('values are left over at its end');
        return { value, end: input.at };
      }
      case OP.MARK:
        spend(COST.word);
        marks.push(stack.length);
        break;
      case OP.POP:
        pop();
        break;
      case OP.POP_MARK:
        popMark();
        break;
      case OP.DUP:
        push(peek());
        break;

      case OP.NONE:
        push(null);
        break;
      case OP.NEWTRUE:
        push(true);
        break;
      case OP.NEWFALSE:
        push(false);
        break;
      case OP.BININT:
        push(input.i32());
        break;
      case OP.BININT1:
        push(input.u8());
        break;
      case OP.BININT2:
        push(input.u16());
        break;
      case OP.LONG1:
        push(input.long(input.u8()), COST.container);
        break;
      case OP.LONG4:
        push(input.long(input.u32()), COST.container);
        break;
      case OP.INT: {
        const text = input.line();
        push(text === '00' ? false : text === '01' ? true : input.decimal(text));
        break;
      }
      case OP.LONG:
        push(input.decimal(input.line().replace(/L$/, '')), COST.container);
        break;
      case OP.FLOAT: {
        const text = input.line();
        const value = Number(text);
        if (Number.isNaN(value) && text !== 'nan') throw invalid(`'${text}' is no number`);
        push(value);
        break;
      }
      case OP.BINFLOAT:
        push(input.f64());
        break;

      case OP.SHORT_BINUNICODE:
      case OP.SHORT_BINSTRING:
        push(string(input.u8()));
        break;
      case OP.BINUNICODE:
      case OP.BINSTRING:
        push(string(input.u32()));
        break;
      case OP.BINUNICODE8:
        push(string(input.u64()));
        break;
      case OP.SHORT_BINBYTES:
        push(input.raw(input.u8()), COST.object);
        break;
      case OP.BINBYTES:
        push(input.raw(input.u32()), COST.object);
        break;
      case OP.BINBYTES8:
      case OP.BYTEARRAY8:
        push(input.raw(input.u64()), COST.object);
        break;

      case OP.EMPTY_LIST:
        push([], COST.container);
        break;
      case OP.LIST:
        push(popMark(), COST.container);
        break;
      case OP.APPEND: {
        const item = pop();
        spend(COST.word);
        list().push(item);
        break;
      }
      case OP.APPENDS: {
        const items = popMark();
        const target = list();
        spend(COST.word * items.length);
        for (const item of items) target.push(item);
        break;
      }
      case OP.EMPTY_TUPLE:
        push(new Tuple([]), COST.container);
        break;
      case OP.TUPLE:
        push(new Tuple(popMark()), 2 * COST.container);
        break;
      case OP.TUPLE1:
      case OP.TUPLE2:
      case OP.TUPLE3: {
        const items = Array.from({ length: opcode - OP.TUPLE1 + 1 }, pop).reverse();
        push(new Tuple(items), 2 * COST.container);
        break;
      }
      case OP.EMPTY_DICT:
        push(new Map(), COST.map);
        break;
      case OP.DICT: {
        const dict = new Map<PickleValue, PickleValue>();
        setItems(dict, popMark());
        push(dict, COST.map);
        break;
      }
      case OP.SETITEM: {
        const value = pop();
        const key = pop();
        setItems(peek(), [key, value]);
        break;
      }
      case OP.SETITEMS: {
        const items = popMark();
        setItems(peek(), items);
        break;
      }
      case OP.EMPTY_SET:
        push(new Set(), COST.map);
        break;
      case OP.FROZENSET: {
        const items = popMark();
        push(new Set(items.map(keyOf)), COST.map + COST.memo * items.length);
        break;
      }
      case OP.ADDITEMS: {
        const items = popMark();
        const target = peek();
        if (!(target instanceof Set)) throw invalid(`an item is added to ${pythonType(target)}`);
        spend(COST.memo * items.length);
        for (const item of items) target.add(keyOf(item));
        break;
      }

      case OP.PUT:
        put(Number(input.decimal(input.line())));
        break;
      case OP.BINPUT:
        put(input.u8());
        break;
      case OP.LONG_BINPUT:
        put(input.u32());
        break;
      case OP.MEMOIZE:
        put(kept);
        break;
      case OP.GET:
        push(get(Number(input.decimal(input.line()))));
        break;
      case OP.BINGET:
        push(get(input.u8()));
        break;
      case OP.LONG_BINGET:
        push(get(input.u32()));
        break;

      case OP.GLOBAL:
        push(global(input.line(), input.line()), COST.object);
        break;
      case OP.STACK_GLOBAL: {
        const name = pop();
        push(global(pop(), name), COST.object);
        break;
      }
      case OP.REDUCE:
      case OP.NEWOBJ:
        call(opcode === OP.REDUCE ? 'REDUCE' : 'NEWOBJ');
        break;
      case OP.BUILD: {
        const state = pop();
        host.build(peek(), state);
        break;
      }
      case OP.BINPERSID:
        push(host.persistent(pop()), COST.object);
        break;

      default: {
        const refused = REFUSED[opcode];
        if (refused)
          throw new GruError('unsupported', `the pickle has the opcode ${refused}, which torch.save never writes`);
        throw invalid(`${opcode} is no opcode of a pickle`);
      }
    }
  }
}
