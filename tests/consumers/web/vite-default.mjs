import { worklet } from '../worklet.mjs';
import processor from '../processor.mjs?worker&url';
import { page } from './page.mjs';
import { pool } from './pool.mjs';

for (const part of [page, pool, () => worklet(processor)]) console.log(await part());
