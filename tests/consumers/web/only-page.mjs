import { page } from './page.mjs';

page().then(console.log);
