/** Bytes that tell what came instead of a file. */
const START = 512;

/** What came instead of a model's file, or of one beside it, and what to do about it; undefined where nothing says so. */
export function impostor(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return 'the file is empty: 0 bytes';
  const start = String.fromCharCode(...bytes.subarray(0, START)).replace(/^\u00ef\u00bb\u00bf/, '');
  if (start.startsWith('version https://git-lfs')) {
    return 'a pointer of Git LFS, not the file that it stands for: fetch that one, with git lfs pull';
  }
  // Servers of files answer in XML too.
  if (/^<(!doctype\s+html|html|head|body)\b/i.test(behindComments(start))) {
    return 'a page of HTML, not a model: the address is not that of the file itself';
  }
  return /^\s*<\?xml\b/i.test(start) ? 'XML, not a model: the address is not that of the file itself' : undefined;
}

/** What is behind the comments and blanks with which a page may begin. (A pattern of stars in a star takes exponential time.) */
function behindComments(page: string): string {
  let rest = page.trimStart();
  while (rest.startsWith('<!--')) {
    const end = rest.indexOf('-->', 4);
    if (end < 0) return '';
    rest = rest.slice(end + 3).trimStart();
  }
  return rest;
}
