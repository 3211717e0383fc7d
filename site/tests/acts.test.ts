import { expect, test } from 'vitest';
import { useActs } from '../lib/acts.ts';

/** Work that ends when it is told to. */
function work() {
  const ends: { resolve?: () => void; reject?: (error: Error) => void } = {};
  const promise = new Promise<void>((resolve, reject) => Object.assign(ends, { resolve, reject }));
  return {
    run: () => promise,
    resolve: () => {
      ends.resolve!();
    },
    reject: (error: Error) => {
      ends.reject!(error);
    },
  };
}

test('an act takes away what the one before told, and tells why it failed', async () => {
  const { busy, failure, act } = useActs((error) => (error as Error).message);
  await act(() => Promise.reject(new Error('first')));
  expect(failure.value).toBe('first');
  const second = work();
  const ended = act(second.run, 'Second ...');
  expect([busy.value, failure.value]).toEqual(['Second ...', '']);
  second.resolve();
  await ended;
  expect(busy.value).toBe('');
});

test.each(['resolve', 'reject'] as const)('an act that ends late (%s) takes nothing away', async (end) => {
  const { busy, failure, act } = useActs((error) => (error as Error).message);
  const late = work();
  const first = act(late.run, 'First ...');
  await act(() => {
    throw new Error('second');
  });
  busy.value = 'First, still ...';
  if (end === 'resolve') late.resolve();
  else late.reject(new Error('late'));
  await first;
  expect([busy.value, failure.value]).toEqual(['', 'second']);
});

test('what goes on behind takes nothing away, and tells its failure where there is none', async () => {
  const { failure, act, behind } = useActs((error) => (error as Error).message);
  await behind(() => Promise.reject(new Error('behind')));
  expect(failure.value).toBe('behind');
  await act(() => Promise.reject(new Error('asked')));
  await behind(() => Promise.resolve());
  await behind(() => Promise.reject(new Error('behind')));
  expect(failure.value).toBe('asked');
});
