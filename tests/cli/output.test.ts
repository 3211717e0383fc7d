import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { describe, expect, test } from 'vitest';
import { amp, bin, encoder, folder, gru, root } from './gru.ts';

const at = folder();
mkdirSync(at('out'));
const out = (name: string) => at(`out/${name}`);
/** Also what is hidden. */
const left = () => readdirSync(at('out'));
writeFileSync(at('x.csv'), '0.5\n-0.5\n0.25\n');
writeFileSync(at('x.f32'), new Uint8Array(Float32Array.from({ length: 8192 }, (_, i) => Math.sin(i)).buffer));

/** `gru` by bash: `$@` are its arguments. */
function shell(script: string, args: string[]) {
  const { status, stdout, stderr } = spawnSync('bash', ['-c', script, process.execPath, bin, ...args], {
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  });
  return { status, stdout, stderr };
}

/** All that write a file, of more than 4 KB. */
const WRITERS: [string, string, string[]][] = [
  ...['csv', 'ndjson', 'f32', 'wav', 'npy', 'npz', 'safetensors'].map((format): [string, string, string[]] => [
    `run to ${format}`,
    `y.${format}`,
    ['run', amp, '-i', at('x.f32'), '-o'],
  ]),
  ['convert', 'm.safetensors', ['convert', encoder, '-o']],
  ['explain -o', 'g.npz', ['explain', amp, '-i', at('x.f32'), '-o']],
  ['explain --svg', 'g.svg', ['explain', amp, '-i', at('x.f32'), '--svg']],
];

test.each(WRITERS)(
  '%s: where the file finds no room, nothing is left, and the old one is as it was',
  (_, name, args) => {
    // A limit of 4 KB a file stands for a full disk: Node gets an error of write, as there.
    const limited = () => shell('ulimit -f 4; "$0" "$@"', [...args, out(name)]);
    const { status, stderr } = limited();
    expect([status, stderr]).toEqual([3, `gru: ${out(name)}: larger than a file may be here (EFBIG)\n`]);
    expect(left()).toEqual([]);
    writeFileSync(out(name), 'old');
    limited();
    expect(left()).toEqual([name]);
    expect(readFileSync(out(name), 'utf8')).toBe('old');
    spawnSync('rm', [out(name)]);
  },
);

test.each<[string, string[]]>([
  ['inspect', ['inspect', amp]],
  ['run', ['run', amp, '-i', at('x.csv')]],
  ['run of what has a header', ['run', amp, '-i', at('x.csv'), '--output-format', 'npy']],
  ['convert', ['convert', amp, '-o', '-']],
  ['explain', ['explain', amp, '-i', at('x.csv')]],
  ['completion', ['completion', 'bash']],
  ['help', ['--help']],
])('%s on a full stdout ends in one line', (_, args) => {
  expect(shell('"$0" "$@" > /dev/full', args)).toEqual({
    status: 3,
    stdout: '',
    stderr: 'gru: stdout: the disk is full (ENOSPC)\n',
  });
});

test('a device is written to, and stays one; a full one says so', () => {
  const args = ['run', amp, '-i', at('x.csv'), '--output-format', 'npy', '-o'];
  expect(gru([...args, '/dev/full']).stderr).toBe('gru: /dev/full: the disk is full (ENOSPC)\n');
  expect(lstatSync('/dev/full').isCharacterDevice()).toBe(true);
  // A named pipe gives its reader the 256 bytes of the header, and three floats.
  const piped = shell('mkfifo "$2"; wc -c < "$2" & "$0" "$1" run "$3" -i "$4" --output-format npy -o "$2"; wait', [
    at('pipe'),
    amp,
    at('x.csv'),
  ]);
  expect(piped).toEqual({ status: 0, stdout: '268\n', stderr: '' });
});

test('a link stays, and the file that it leads to is written', () => {
  writeFileSync(at('real.csv'), 'old');
  symlinkSync(at('real.csv'), at('link.csv'));
  expect(gru(['run', amp, '-i', at('x.csv'), '-o', at('link.csv')]).status).toBe(0);
  expect(lstatSync(at('link.csv')).isSymbolicLink()).toBe(true);
  expect(readFileSync(at('real.csv'), 'utf8').trim().split('\n')).toHaveLength(3);
});

test('a link to a file that is not there stays too, and so does one to it', () => {
  mkdirSync(at('links'));
  symlinkSync('../absent.csv', at('links/first.csv'));
  symlinkSync('links/first.csv', at('second.csv'));
  expect(gru(['run', amp, '-i', at('x.csv'), '-o', at('second.csv')]).status).toBe(0);
  for (const name of ['second.csv', 'links/first.csv']) expect(lstatSync(at(name)).isSymbolicLink()).toBe(true);
  expect(lstatSync(at('absent.csv')).isFile()).toBe(true);
  symlinkSync('loop.csv', at('loop.csv'));
  expect(gru(['run', amp, '-i', at('x.csv'), '-o', at('loop.csv')])).toMatchObject({
    status: 3,
    stderr: expect.stringMatching(/loop\.csv: links that lead to each other/) as string,
  });
});

describe('a file that is written over', () => {
  const run = (...output: string[]) => gru(['run', amp, '-i', at('x.csv'), '-o', ...output]);
  const mode = (path: string) => (statSync(path).mode & 0o7777).toString(8);

  test.each([0o600, 0o640, 0o666, 0o604])('keeps its permissions: %o', (bits) => {
    const old = process.umask(0o022);
    writeFileSync(at('secret.csv'), 'old');
    chmodSync(at('secret.csv'), bits);
    expect(run(at('secret.csv')).status).toBe(0);
    expect(mode(at('secret.csv'))).toBe(bits.toString(8));
    expect(run(at(`new-${bits}.csv`)).status).toBe(0);
    expect(mode(at(`new-${bits}.csv`))).toBe('644');
    process.umask(old);
  });

  test('is for nobody else while it is written', async () => {
    writeFileSync(out('secret.csv'), 'old');
    chmodSync(out('secret.csv'), 0o600);
    const child = spawn(process.execPath, [bin, 'run', amp, '-i', '-', '-o', out('secret.csv')]);
    child.stdin.write('0.5\n');
    const part = () => left().find((name) => name.endsWith('.part'));
    while (!part()) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(mode(out(part()!))).toBe('600');
    child.stdin.end();
    await once(child, 'exit');
    expect(left()).toEqual(['secret.csv']);
    rmSync(out('secret.csv'));
  });

  test.runIf(process.getuid?.() === 0)('keeps its owner, where that is allowed', () => {
    writeFileSync(at('theirs.csv'), 'old');
    chownSync(at('theirs.csv'), 1234, 5678);
    run(at('theirs.csv'));
    expect(statSync(at('theirs.csv'))).toMatchObject({ uid: 1234, gid: 5678 });
  });
});

test('a folder that is not there is made', () => {
  const path = at('new/folder/y.csv');
  expect(gru(['run', amp, '-i', at('x.csv'), '-o', path])).toMatchObject({ status: 0, stderr: '' });
  expect(readdirSync(at('new/folder'))).toEqual(['y.csv']);
  // But not of a file.
  expect(gru(['convert', amp, '-o', `${path}/m.safetensors`])).toMatchObject({ status: 3 });
});

describe('what would be lost', () => {
  const model = at('own.safetensors');
  const svg = at('own.svg');
  writeFileSync(model, readFileSync(amp));
  writeFileSync(svg, readFileSync(amp));
  linkSync(model, at('hard.safetensors'));
  symlinkSync(model, at('soft.safetensors'));
  symlinkSync(at('new.safetensors'), at('dangling.safetensors'));
  symlinkSync(at('.'), at('here'));
  mkdirSync(at('sub'));
  writeFileSync(at('wiring.json'), '[]');
  const input = ['-i', at('x.csv')];
  const NEW = at('new.safetensors');

  test.each<[string, string[], RegExp]>([
    ['run: the model', ['run', model, ...input, '-o', model], /^gru: --output \S+ is the model, which would be gone: /],
    ['run: a hard link', ['run', model, ...input, '-o', at('hard.safetensors')], /--output .* is the model/],
    ['run: a link', ['run', model, ...input, '--save-states', at('soft.safetensors')], /--save-states .* is the model/],
    ['run: an input', ['run', model, ...input, '-o', at('sub/../x.csv')], /--output .* is an input/],
    ['run: by name', ['run', model, '-i', `sample=${at('x.csv')}`, '-o', at('here/x.csv')], /--output .* is an input/],
    ['run: states', ['run', model, ...input, '--states', model, '-o', model], /--output .* is the states to start from/],
    ['run: two', ['run', model, ...input, '-o', NEW, '--save-states', NEW], /--save-states .* is what --output writes too/],
    ['run: two by a link to nothing', ['run', model, ...input, '-o', NEW, '--save-states', at('dangling.safetensors')], /is what --output writes too/],
    ['run: two in a link', ['run', model, ...input, '-o', NEW, '--save-states', at('here/new.safetensors')], /is what --output writes too/],
    ['convert', ['convert', model, '-o', model], /--output .* is the model/],
    ['run: wiring', ['run', model, ...input, '--layers', at('wiring.json'), '--output-format', 'csv', '-o', at('wiring.json')], /--output .* is the file of --layers/],
    ['explain', ['explain', model, ...input, '-o', model], /--output .* is the model/],
    ['explain: two', ['explain', model, ...input, '-o', NEW, '--svg', NEW], /--svg .* is what --output writes too/],
    ['bench', ['bench', svg, '--svg', svg], /--svg .* is the model/],
  ])('%s', (_, args, message) => {
    const before = readdirSync(at('.'));
    const { status, stdout, stderr } = gru(args);
    expect(stderr).toMatch(message);
    expect([status, stdout]).toEqual([2, '']);
    expect(readdirSync(at('.'))).toEqual(before);
    expect(readFileSync(model)).toEqual(readFileSync(amp));
  }); // prettier-ignore

  test('also where it is stdin or stdout', () => {
    const text = ['run', amp, '-i', '-', '-o', at('x.csv')];
    expect(shell('"$0" "$@" < "$7"', text).stderr).toMatch(/--output \S+x\.csv is an input/);
    const both = ['run', amp, ...input, '-o', '-', '--output-format', 'npz', '--save-states', at('both.npz')];
    expect(shell('"$0" "$@" > "${11}"', both).stderr).toMatch(/--save-states \S+both\.npz is what --output writes too/);
  });

  test('a device takes both', () => {
    const args = ['run', amp, ...input, '-o', '/dev/null', '--output-format', 'csv', '--save-states', at('s.npz')];
    expect(gru(args).status).toBe(0);
  });
});

test.each<[NodeJS.Signals, number]>([
  ['SIGHUP', 129],
  ['SIGINT', 130],
  ['SIGTERM', 143],
])('%s leaves no half-written file, of any format', async (signal, exit) => {
  const formats = ['csv', 'npy', 'wav', 'safetensors'];
  const children = formats.map((format) => {
    const child = spawn(process.execPath, [bin, 'run', amp, '-i', '-', '-o', out(`cut.${format}`)]);
    child.stdin.write('0.5\n');
    return child;
  });
  while (left().length < formats.length) await new Promise((resolve) => setTimeout(resolve, 20));
  for (const child of children) {
    child.kill(signal);
    expect((await once(child, 'exit'))[0]).toBe(exit);
  }
  expect(left()).toEqual([]);
});

test('Ctrl-C does not wait until a run has ended, where there is nothing to take away', async () => {
  const args = [bin, 'compare', amp, '-i', '-', '--input-format', 'f32'];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'ignore', 'ignore'] });
  // Four million steps, which take minutes; it has taken all of them but what a pipe holds.
  child.stdin.end(new Uint8Array(4 * 2 ** 22));
  await once(child.stdin, 'finish');
  child.kill('SIGINT');
  // A listener would have exited, in the end, with 130, which is what shells make of this.
  expect(await once(child, 'exit')).toEqual([null, 'SIGINT']);
});

describe('a closed pipe', () => {
  test.each<[string, string[]]>([
    ['inspect', ['inspect', amp, '--json']],
    ['explain', ['explain', amp, '-i', at('x.csv')]],
    ['convert', ['convert', encoder, '-o', '-']],
    ['run of a whole', ['run', amp, '-i', at('x.f32'), '--output-format', 'safetensors']],
  ])('ends %s quietly', (_, args) => {
    expect(shell('"$0" "$@" | true; exit ${PIPESTATUS[0]}', args)).toMatchObject({ status: 0, stderr: '' });
  });

  test('takes no file with it: the chart of bench, the states of run', () => {
    shell('"$0" "$@" | true', ['bench', amp, '--steps', '4', '--svg', at('b.svg')]);
    shell('"$0" "$@" | true', ['run', amp, '-i', at('x.f32'), '--save-states', at('s.npz')]);
    expect([existsSync(at('b.svg')), existsSync(at('s.npz'))]).toEqual([true, true]);
  });
});

/** What runs `gru` on a terminal, which script(1) makes, and then something more; `node` are options of Node. */
function onTerminal(args: string[], { columns = 80, env = {}, then = '', node = [] as string[] } = {}) {
  const command = [process.execPath, ...node, bin, ...args].map((word) => `'${word}'`).join(' ');
  return [
    ['-qec', `stty cols ${columns} -onlcr; ${command}${then}`, '/dev/null'],
    { env: { ...process.env, NO_COLOR: undefined, FORCE_COLOR: undefined, TERM: 'xterm', ...env } },
  ] as const;
}

/** What it writes there. */
function typed(...given: Parameters<typeof onTerminal>): string {
  const [args, options] = onTerminal(...given);
  return spawnSync('script', args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 2 ** 28,
    ...options,
  }).stdout;
}

describe('columns', () => {
  const HELPS = ['inspect', 'run', 'convert', 'compare', 'bench', 'explain', 'doctor', 'completion'];
  test.each([80, 120])('of a terminal of %i are enough for all help, but for examples', (columns) => {
    for (const args of [['--help'], ...HELPS.map((name) => [name, '--help'])]) {
      const lines = typed(args, { columns }).split('\n');
      expect(lines.length, args[0]).toBeGreaterThan(5);
      for (const line of lines) if (!line.startsWith('  gru ')) expect(line.length, line).toBeLessThanOrEqual(columns);
    }
  });

  test.each([60, 80, 120])('of a terminal of %i are enough for the chart of bench', (columns) => {
    const lines = typed(['bench', encoder, '--steps', '4'], { columns, env: { NO_COLOR: '1' } }).split('\n');
    expect(Math.max(...lines.slice(1).map((line) => line.length))).toBeLessThanOrEqual(columns);
    expect(lines.join('\n')).toContain(columns === 120 ? '█'.repeat(40) : '█'.repeat(columns - 52));
  });

  const NARROW = { NO_COLOR: '1' };
  const keras = `${root}tests/fixtures/cases/keras_gru_after_seq/model.keras`;
  test.each([60, 80, 120])('of a terminal of %i hold all tables, and what is drawn', (columns) => {
    writeFileSync(at('long.csv'), '0.5\n'.repeat(200));
    for (const args of [
      ['inspect', encoder],
      ['inspect', keras],
      ['compare', encoder, '--precision', 'i8'],
      ['explain', amp, '-i', at('long.csv')],
    ]) {
      const lines = typed(args, { columns, env: NARROW }).split('\n').slice(1);
      expect(lines.length, args[0]).toBeGreaterThan(5);
      for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(columns);
    }
  });

  test('do not break what goes to no terminal: a row is a line', () => {
    const shown = typed(['inspect', encoder], { columns: 40, env: NARROW, then: ' | cat' });
    expect(shown).toContain('encoder_embedding/embeddings  F32   28 x 64    encoder_embedding/embeddings');
    expect(shown).toBe(gru(['inspect', encoder]).stdout);
  });

  test('are enough for doctor, whatever the names of the processor and of Node', () => {
    const lines = gru(['doctor']).stdout.split('\n');
    const ours = lines.filter((line) => !/^(Node|processor):/.test(line));
    expect(Math.max(...ours.map((line) => line.length))).toBeLessThanOrEqual(80);
  });
});

describe('the bar of long work', () => {
  const BAR = /[█░]{30} \d+ %, \d+ s left/;
  const OUTPUT = out('y.csv');
  const plain = { NO_COLOR: '1' };
  /** It is drawn for work that lasts: by a clock a thousand times as fast, on every machine. */
  const node = [
    '--import',
    'data:text/javascript,const { now } = performance; performance.now = () => 1000 * now.call(performance)',
  ];
  /** `|` for a line that is taken away. */
  const seen = (text: string) => text.replaceAll('\r\x1b[K', '|').replaceAll('\x1b[K', '');

  test('is not what an error, a row or the prompt stands behind', () => {
    // The file is read, and the bar drawn, by the megabyte.
    const COUNT = 4096;
    const rows = `${'0.5'.padEnd(1023)}\n`.repeat(COUNT);
    writeFileSync(at('long.csv'), `${rows}what\n`);
    const failed = seen(
      typed(['run', amp, '-i', at('long.csv'), '-o', OUTPUT], { env: plain, then: '; echo ended', node }),
    );
    expect(failed).toMatch(BAR);
    expect(failed).toMatch(new RegExp(`\\|gru: [^█|]*line ${COUNT + 1}[^█|]*\\nended\\n$`));
    const shown = seen(typed(['run', amp, '-i', at('long.csv')], { env: plain, node }));
    expect(shown).toMatch(BAR);
    for (const line of shown.trim().split('\n').slice(0, -1)) {
      if (!/^-?[\d.e-]+$/.test(line.split('|').at(-1)!)) expect.fail(line);
    }
  });

  test.each([20, 40, 60])('fits into a terminal of %i columns', (columns) => {
    writeFileSync(at('long.csv'), `${'0.5'.padEnd(1023)}\n`.repeat(4096));
    const shown = typed(['run', amp, '-i', at('long.csv'), '-o', at('bar.csv')], { columns, env: plain, node });
    const bars = shown.split('\r').filter((line) => line.includes(' s left'));
    expect(bars.length).toBeGreaterThan(0);
    for (const bar of bars) expect(bar.replace('\x1b[K', '').length, bar).toBeLessThan(columns);
  });

  test('bench hears Ctrl-C while it computes, and takes it away', async () => {
    const then = ` & echo $! > '${at('pid')}'; wait $!; echo "ended $?"`;
    const [args, options] = onTerminal(['bench', encoder, '--steps', '400'], { env: plain, then, node });
    const child = spawn('script', args, { stdio: ['ignore', 'pipe', 'inherit'], ...options });
    let shown = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (!BAR.test(shown) && BAR.test(shown + text)) process.kill(Number(readFileSync(at('pid'), 'utf8')), 'SIGINT');
      shown += text;
    });
    await once(child, 'close');
    expect(seen(shown)).toMatch(/\|ended 130\n$/);
  });

  test('is gone after Ctrl-C', async () => {
    // Three quarters of this are left when the bar is there first: a million steps.
    writeFileSync(at('long.csv'), '0.5\n'.repeat(2 ** 20 + 2 ** 18));
    const then = ` & echo $! > '${at('pid')}'; wait $!; echo "ended $?"`;
    const [args, options] = onTerminal(['run', amp, '-i', at('long.csv'), '-o', OUTPUT], { env: plain, then, node });
    const child = spawn('script', args, { stdio: ['ignore', 'pipe', 'inherit'], ...options });
    let shown = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (!BAR.test(shown) && BAR.test(shown + text)) process.kill(Number(readFileSync(at('pid'), 'utf8')), 'SIGINT');
      shown += text;
    });
    await once(child, 'close');
    expect(seen(shown)).toMatch(/\|ended 130\n$/);
    expect(left()).toEqual([]);
  });
});

test('a terminal that obeys nothing gets no bar', () => {
  const node = [
    '--import',
    'data:text/javascript,const { now } = performance; performance.now = () => 1000 * now.call(performance)',
  ];
  writeFileSync(at('long.csv'), `${'0.5'.padEnd(1023)}\n`.repeat(4096));
  const shown = typed(['run', amp, '-i', at('long.csv'), '-o', at('dumb.csv')], { env: { TERM: 'dumb' }, node });
  expect(shown).toBe('');
});

describe('bytes that are no text', () => {
  const npy = ['run', amp, '-i', at('x.csv'), '--output-format', 'npy', '-o'];
  test.each<[string, string[]]>([
    ['convert', ['convert', encoder, '-o', '-']],
    ['run to npy', [...npy, '-']],
    ['the terminal by its name', [...npy, '/dev/tty']],
    ['a link to it', [...npy, '/dev/stdout']],
  ])('are not written to a terminal: %s', (_, args) => {
    const shown = typed(args, { env: { NO_COLOR: '1' }, then: '; echo "ended $?"' });
    expect(shown).toMatch(/^gru: \S+ is a terminal, and this is no text: write to a file or a pipe\nended 2\n$/);
  });

  test('but to a pipe, and text to a terminal', () => {
    const whole = shell('"$0" "$@" | cat', ['convert', encoder, '-o', '-']);
    gru(['convert', encoder, '-o', out('m.safetensors')]);
    expect(Buffer.byteLength(whole.stdout)).toBe(Buffer.byteLength(readFileSync(out('m.safetensors'), 'utf8')));
    spawnSync('rm', [out('m.safetensors')]);
    const shown = typed(['run', amp, '-i', at('x.csv'), '--output-format', 'csv', '-o', '/dev/tty'], {
      env: { NO_COLOR: '1' },
    });
    expect(shown.trim().split('\n').map(Number).every(Number.isFinite)).toBe(true);
  });
});

describe('colours', () => {
  test.each([
    ['24 bits', { TERM: 'xterm', COLORTERM: 'truecolor' }, '48;2;\\d+;\\d+;\\d+m '],
    ['256', { TERM: 'xterm-256color', COLORTERM: '' }, '48;5;\\d+m '],
    ['16', { TERM: 'xterm', COLORTERM: '' }, '3[14]m[ ░▒▓█]'],
  ])('of a heat map are those that the terminal has: %s', (_, env, cell) => {
    // Node asks some of them for being there alone.
    const none = { TMUX: undefined, CI: undefined, TERM_PROGRAM: undefined };
    const shown = typed(['explain', amp, '-i', at('x.csv')], { env: { ...none, ...env } });
    const cells = shown.match(/(?<=\[)(?!39)[34][^[]*(?=.\[)/g)!;
    expect(cells.length).toBeGreaterThan(100);
    for (const each of cells) expect(each).toMatch(new RegExp(`^${cell}$`));
  });

  test.each<[string, string[]]>([
    ['inspect', ['inspect', amp]],
    ['explain', ['explain', amp, '-i', at('x.csv')]],
    ['an error', ['inspect', at('absent.onnx')]],
  ])('of %s: on a terminal, unless NO_COLOR or TERM=dumb says otherwise', (_, args) => {
    expect(typed(args)).toContain('\x1b[');
    expect(typed(args, { env: { NO_COLOR: '' } })).toContain('\x1b[');
    expect(typed(args, { env: { NO_COLOR: '1' } })).not.toContain('\x1b');
    expect(typed(args, { env: { TERM: 'dumb' } })).not.toContain('\x1b');
    const piped = spawnSync(process.execPath, [bin, ...args], {
      encoding: 'utf8',
      env: { ...process.env, NO_COLOR: '', FORCE_COLOR: '' },
    });
    expect(piped.stdout + piped.stderr).not.toContain('\x1b');
  });
});
