import { serve } from './pool/main.ts';

export type { PoolWorker } from './pool/worker.ts';

serve();
