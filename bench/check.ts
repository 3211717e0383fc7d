import { caseNamed } from './cases.ts';
import type { Engine } from './engine.ts';
import { errorOf, reference } from './reference.ts';
import { Session } from './session.ts';
import { makeTask } from './task.ts';

/** Runs a case once, in this process: the largest distance of the engine's output from the float64 reference. */
export async function check(engine: Engine, name: string): Promise<number> {
  const session = new Session(engine, 0);
  await session.load();
  const { output } = await session.prepare({ name });
  await session.warm({ name });
  await session.sample({ name });
  session.release({ name });
  return errorOf(output, reference(makeTask(caseNamed(name))));
}
