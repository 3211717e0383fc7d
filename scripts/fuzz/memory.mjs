const TYPED = [
  'Int8',
  'Uint8',
  'Uint8Clamped',
  'Int16',
  'Uint16',
  'Int32',
  'Uint32',
  'Float32',
  'Float64',
  'BigInt64',
  'BigUint64',
];
const COPIES = ['slice', 'map', 'filter', 'toReversed', 'toSorted', 'with'];

/**
 * Counts the bytes of all array buffers that JavaScript makes from now on: by constructors, `from`, `of`, and methods that
 * copy. What the host makes (chunks of a DecompressionStream) is not seen. Modules are to be loaded afterwards, for a class
 * that extends ArrayBuffer keeps the one it was made with.
 */
export function countAllocations() {
  let bytes = 0;
  /** @type {(() => void)[]} */
  const undo = [];
  const replace = (
    /** @type {object} */ object,
    /** @type {string} */ key,
    /** @type {(old: any) => unknown} */ make,
  ) => {
    const old = Object.getOwnPropertyDescriptor(object, key);
    if (!old) return;
    Object.defineProperty(object, key, { ...old, value: make(old.value) });
    undo.push(() => Object.defineProperty(object, key, old));
  };
  const { ArrayBuffer: RealBuffer, SharedArrayBuffer: RealShared } = globalThis;
  for (const name of ['ArrayBuffer', 'SharedArrayBuffer', ...TYPED.map((type) => `${type}Array`)]) {
    replace(globalThis, name, (Real) => {
      const counting = new Proxy(Real, {
        construct(target, args, newTarget) {
          const made = Reflect.construct(target, args, newTarget === counting ? target : newTarget);
          const isView = args[0] instanceof RealBuffer || args[0] instanceof RealShared;
          if (!isView) bytes += made.byteLength;
          return made;
        },
      });
      return counting;
    });
  }
  const copies = (/** @type {object} */ prototype, /** @type {string[]} */ methods) => {
    for (const method of methods) {
      replace(
        prototype,
        method,
        (real) =>
          function (/** @type {unknown[]} */ ...args) {
            const made = Reflect.apply(real, this, args);
            bytes += made.byteLength;
            return made;
          },
      );
    }
  };
  copies(Object.getPrototypeOf(Uint8Array.prototype), COPIES);
  copies(RealBuffer.prototype, ['slice']);
  copies(TextEncoder.prototype, ['encode']);
  return {
    /** Bytes since the last call. */
    take() {
      const taken = bytes;
      bytes = 0;
      return taken;
    },
    stop() {
      for (const back of undo.reverse()) back();
    },
  };
}
