import { afterAll, beforeAll } from 'vitest';
import { countAllocations } from '../../scripts/fuzz/memory.mjs';

export type Api = typeof import('../../ts/index.ts');

/** Of every input: ten times what the long run (`npm run fuzz`) allows, which has the machine for itself. */
export const MOST_MS = 10_000;

/** The library in a test file, loaded when its arrays are counted: `api` from the first test on. */
export function counted(): { api: Api; take: () => number } {
  let memory: ReturnType<typeof countAllocations>;
  const made = { api: undefined as unknown as Api, take: () => memory.take() };
  beforeAll(async () => {
    memory = countAllocations();
    made.api = await import('../../ts/index.ts');
  });
  afterAll(() => {
    memory.stop();
  });
  return made;
}
