import { failed } from '../model.mjs';

export const ownWorker = () =>
  new Promise((resolve) => {
    const worker = new Worker(new URL('./worker.mjs', import.meta.url), { type: 'module' });
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message }) => resolve(failed('worker', message));
  });
