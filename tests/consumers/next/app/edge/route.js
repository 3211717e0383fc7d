import * as gru from 'gru-wasm';
import { report } from '../../../model.mjs';

export const runtime = 'edge';
export const dynamic = 'force-dynamic';

export async function GET() {
  return new Response(await report('edge', gru));
}
