import { at, main, run } from './lib.mjs';
import { setup } from './setup.mjs';

await main(async () => {
  await setup();
  return run(process.execPath, [at('examples', 'g2p', 'main.js'), ...process.argv.slice(2)]);
});
