export default { test: { include: ['gru.mjs'] } };
