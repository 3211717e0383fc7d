import { ownWorker } from './own-worker.mjs';
import { page } from './page.mjs';
import { pool } from './pool.mjs';

(async () => {
  for (const part of [page, pool, ownWorker]) console.log(await part());
})();
