// `npm run site`: set-up, and the site in site/dist. Any server of files can serve it, from any folder.
import { main } from './lib.mjs';
import { setup, siteSteps } from './setup.mjs';

await main(async () => {
  await setup({ more: siteSteps });
  console.log('site/dist is ready: npx vite preview --outDir site/dist, or any server of files');
});
