import { describe, expect, test } from 'vitest';
import { effectScope } from 'vue';
import { type Session, useSession } from '../lib/session.ts';

interface Door {
  resolve: () => void;
  reject: (error: Error) => void;
}

/** Things that open when they are told to, and whether each is open. */
function stage() {
  const scope = effectScope();
  const session: Session<{ stop: () => Promise<void> }> = scope.run(() => useSession())!;
  const open: boolean[] = [];
  const doors: Door[] = [];
  const start = () =>
    session.start(async () => {
      await new Promise<void>((resolve, reject) => doors.push({ resolve, reject }));
      const i = open.push(true) - 1;
      return {
        stop() {
          open[i] = false;
          return Promise.resolve();
        },
      };
    });
  /** The nth thing that is asked to open. */
  const door = async (n: number) => {
    while (!doors[n]) await new Promise((resolve) => setTimeout(resolve));
    return doors[n];
  };
  /** It opens. */
  const enter = async (n: number) => {
    (await door(n)).resolve();
  };
  return { scope, session, open, doors, start, door, enter };
}

describe('a session', () => {
  test('holds what was opened until it is stopped', async () => {
    const { session, open, start, enter } = stage();
    const started = start();
    expect(session.active.value).toBe(true);
    await enter(0);
    await started;
    expect(session.current.value).toBeDefined();
    await session.stop();
    expect([session.current.value, session.active.value, open]).toEqual([undefined, false, [false]]);
  });

  test('closes what opens after it was stopped', async () => {
    const { session, open, start, door, enter } = stage();
    const started = start();
    await door(0);
    await session.stop();
    await enter(0);
    await started;
    expect([session.current.value, session.active.value, open]).toEqual([undefined, false, [false]]);
  });

  test('closes what opens after its component has gone, and opens nothing then', async () => {
    const { scope, session, open, doors, start, door, enter } = stage();
    const started = start();
    await door(0);
    scope.stop();
    await enter(0);
    await started;
    await start();
    expect([session.active.value, open, doors.length]).toEqual([false, [false], 1]);
  });

  test('holds one of two that are started at once, the last', async () => {
    const { session, open, start, enter } = stage();
    const both = [start(), start()];
    await enter(0);
    await Promise.all(both);
    expect(session.current.value).toBeDefined();
    expect(open).toEqual([true]);
    await session.stop();
    expect(open).toEqual([false]);
  });

  test('closes the first of two when the second is started while it opens', async () => {
    const { session, open, start, door, enter } = stage();
    const first = start();
    await door(0);
    const second = start();
    await enter(1);
    await second;
    await enter(0);
    await first;
    expect(open).toEqual([true, false]);
    await session.stop();
    expect(open).toEqual([false, false]);
  });

  test('throws what fails, but not what nobody waits for', async () => {
    const { session, start, door } = stage();
    const failed = start();
    (await door(0)).reject(new Error('refused'));
    await expect(failed).rejects.toThrow('refused');
    expect(session.active.value).toBe(false);
    const stopped = start();
    await door(1);
    await session.stop();
    (await door(1)).reject(new Error('refused'));
    await expect(stopped).resolves.toBeUndefined();
  });
});
