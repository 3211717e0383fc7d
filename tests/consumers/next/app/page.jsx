import * as gru from 'gru-wasm';
import { report } from '../../model.mjs';
import Client from './client.jsx';

export const dynamic = 'force-dynamic';

export default async function Page() {
  console.log(await report('server', gru));
  return <Client />;
}
