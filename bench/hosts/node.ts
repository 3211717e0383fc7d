import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { engineNamed } from '../engines/index.ts';
import type { Reply } from '../session.ts';
import type { Host, Seat } from './host.ts';

const WORKER = fileURLToPath(new URL('node-worker.ts', import.meta.url));

/** Engines in processes of this same Node: they share neither compiled code nor heap, and one that crashes is one failure. */
export const nodeHost: Host = {
  kind: 'node',
  title: `Node ${process.versions.node}`,
  slug: `node${process.versions.node.split('.')[0]!}`,
  seat: (name) => Promise.resolve(seat(name)),
  close: () => Promise.resolve(),
};

function seat(name: string): Seat {
  const execArgv = [...process.execArgv, ...(engineNamed(name).flags ?? [])];
  const child = fork(WORKER, [name], {
    execArgv,
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let complaints = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (complaints = (complaints + text).slice(-2000)));
  let answer: ((reply: Reply<never>) => void) | undefined;
  let exited: string | undefined;
  child.on('message', (reply) => {
    answer?.(reply as Reply<never>);
  });
  child.on('exit', (code, signal) => {
    exited = `the process ended (${signal ?? code}): ${complaints.trim().split('\n').at(-1) ?? ''}`;
    answer?.({ error: exited });
  });
  return {
    ask: (command, order) =>
      new Promise<Reply<never>>((resolve) => {
        if (exited !== undefined) {
          resolve({ error: exited });
          return;
        }
        answer = resolve;
        child.send({ command, order });
      }),
    async close() {
      if (exited !== undefined) return;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await gone;
    },
  };
}
