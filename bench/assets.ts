/** Whether this is a web page, not Node. */
export const onPage = typeof document !== 'undefined';

/** The bytes of a file, by its path from the root of the repository. */
export async function readAsset(path: string): Promise<Uint8Array<ArrayBuffer>> {
  if (onPage) {
    const response = await fetch(`/${path}`);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${response.statusText}`);
    return new Uint8Array(await response.arrayBuffer());
  }
  const { readFile } = await import('node:fs/promises');
  return new Uint8Array(await readFile(new URL(`../${path}`, import.meta.url)));
}
