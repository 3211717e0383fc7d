const wanted = new URLSearchParams(location.search).get('part');

const message = (target) => new Promise((resolve) => target.addEventListener('message', ({ data }) => resolve(data)));

async function serviceWorker(url, options) {
  const { failed } = await import('/model.mjs');
  try {
    const heard = message(navigator.serviceWorker);
    navigator.serviceWorker.startMessages();
    const registration = await navigator.serviceWorker.register(url, options);
    const worker = registration.installing ?? registration.waiting ?? registration.active;
    worker.postMessage('run');
    return await heard;
  } catch (error) {
    return failed('service-worker', error);
  }
}

const PARTS = {
  page: async () => (await import('/web/page.mjs')).page(),
  pool: async () => (await import('/web/pool.mjs')).pool(),
  worker: () => message(new Worker('/browser/worker.mjs', { type: 'module' })),
  'service-worker-classic': () => serviceWorker('/classic-service-worker.js', { scope: '/classic/' }),
  'service-worker-module': () => serviceWorker('/browser/service-worker.mjs', { type: 'module', scope: '/browser/' }),
  worklet: async () => (await import('/worklet.mjs')).worklet('/processor.js'),
};

console.log(await PARTS[wanted]());
