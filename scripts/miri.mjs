import { at, main, run, seconds } from './lib.mjs';
import { NIGHTLY, miriToolchain, setup } from './setup.mjs';

/**
 * `npm run miri`: the crate's tests in an interpreter that reports undefined behaviour, at the small sizes that `cfg(miri)` gives
 * them; on this machine's own target, and on one of 32 bits, as wasm is. Words are passed on: a part of a test's name.
 */
const TARGETS = [undefined, 'i686-unknown-linux-gnu'];

await main(async () => {
  await setup({ more: [miriToolchain] });
  const codes = await Promise.all(
    TARGETS.map(async (target) => {
      const start = performance.now();
      const args = [`+${NIGHTLY}`, 'miri', 'test', '-p', 'gru-wasm', '--lib', '--tests', '--locked'];
      if (target) args.push('--target', target);
      let text = '';
      const code = await run('cargo', [...args, '--', ...process.argv.slice(2)], {
        env: {
          CARGO_TERM_COLOR: 'never',
          // A folder each: cargo locks one.
          CARGO_TARGET_DIR: at('target', `miri-${target ?? 'host'}`),
          // proptest reads the time; and each backtrace of a panic that is wanted takes 10 s.
          MIRIFLAGS: '-Zmiri-disable-isolation',
          RUST_BACKTRACE: '0',
        },
        onText: (piece) => (text += piece),
      });
      console.log(`== Miri, ${target ?? 'this target'} (${seconds(start)})\n${text}`);
      return code;
    }),
  );
  return codes.every((code) => code === 0) ? 0 : 1;
});
