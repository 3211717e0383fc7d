const bytesOf = (/** @type {string} */ s) => new TextEncoder().encode(s);

/** Arrays of NumPy whose headers say what is not there. @returns {[name: string, parts: import('./zip.mjs').Parts][]} */
export function arrays() {
  const npy = (/** @type {string} */ header, data = new Uint8Array(64), length = header.length) => {
    const start = [0x93, ...bytesOf('NUMPY'), 1, 0, length & 255, (length >> 8) & 255];
    return Uint8Array.from([...start, ...bytesOf(header), ...data]);
  };
  const dict = (/** @type {string} */ shape, descr = '<f4', order = 'False') =>
    `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': (${shape}), }`;
  const headers = {
    'a small one': dict('4, 4'),
    'a huge shape': dict('4294967296, 4294967296'),
    'many axes': dict('1, '.repeat(5000)),
    'no numbers in many': dict('0, 4294967296'),
    'a negative shape': dict('-4, -4'),
    'many axes of Fortran': dict(`${'1, '.repeat(60)}16`, '<f4', 'True'),
    'a wide type': dict('1', '<f999999999'),
    'a type in a type': dict('1', `<${'('.repeat(5000)}`),
    brackets: '('.repeat(60_000),
    spaces: `{${' '.repeat(60_000)}`,
    quotes: `{'descr': '${"'".repeat(20_000)}`,
    nothing: '',
  };
  return [
    ...Object.entries(headers).map(
      ([name, header]) =>
        /** @type {[string, import('./zip.mjs').Parts]} */ ([name, { 'weight_hh_l0.npy': npy(header) }]),
    ),
    ['a header that lies', { 'w.npy': npy(dict('1'), undefined, 0xffff) }],
    ['many arrays', Object.fromEntries(Array.from({ length: 12_000 }, (_, i) => [`${i}.npy`, npy(dict('0'))]))],
    ['names of a prototype', { '__proto__.npy': npy(dict('4, 4')), '.npy': npy(dict('4, 4')) }],
  ];
}
