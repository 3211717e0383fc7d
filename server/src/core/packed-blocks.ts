import { join } from './engine.ts';
import type { Port, Tensors, Values } from './model.ts';

/** Blocks of tensors of the same names, those of a name one behind the other: a message of few parts, however many sequences it is about. */
export interface PackedBlocks {
  data: Values[];
  /** Values of each block, by port. */
  lengths: Uint32Array[];
}

export function packBlocks(ports: readonly Port[], blocks: readonly Tensors[]): PackedBlocks {
  const parts = ports.map(({ name }) => blocks.map((block) => block[name]!));
  return {
    data: ports.map(({ datatype }, i) => join(datatype, parts[i]!)),
    lengths: parts.map((values) => Uint32Array.from(values, ({ length }) => length)),
  };
}

/** What {@link packBlocks} has packed: views of its data. */
export function unpackBlocks(ports: readonly Port[], { data, lengths }: PackedBlocks): Tensors[] {
  const at = ports.map(() => 0);
  return Array.from(lengths[0]!, (_, block) =>
    Object.fromEntries(
      ports.map(({ name }, i) => {
        const start = at[i]!;
        at[i] = start + lengths[i]![block]!;
        return [name, data[i]!.subarray(start, at[i])];
      }),
    ),
  );
}

/** To hand over in a message, not to copy. */
export const buffersOf = ({ data, lengths }: PackedBlocks): ArrayBuffer[] =>
  [...data, ...lengths].map(({ buffer }) => buffer as ArrayBuffer);
