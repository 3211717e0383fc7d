import { page } from './page.mjs';
import { pool } from './pool.mjs';

(async () => {
  for (const part of [page, pool]) console.log(await part());
})();
