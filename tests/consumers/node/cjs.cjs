const gru = require('gru-wasm');
const js = require('gru-wasm/js');

import('../model.mjs').then(async ({ report }) => {
  console.log(await report('require', gru));
  console.log(await report('js', js));
});
