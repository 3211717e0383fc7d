// VitePress writes absolute addresses under a base that is known when the site is built. Ours is a placeholder, and becomes the folder that the
// page was loaded from: so the site works in any folder of any server.

export const BASE = '/__base__/';

/** The folder of the site, seen from a page `depth` folders below it. */
const up = (depth) => (depth === 0 ? './' : '../'.repeat(depth));

/**
 * A page: relative addresses, and the base for the scripts.
 * @param {string} html
 * @param {number} depth how many folders of the site it lies in
 * @returns {string}
 */
export function relocateHtml(html, depth) {
  // The data of the site is a string of JSON in a script: its base is put in when it runs.
  const data = /JSON\.parse\(("(?:[^"\\]|\\.)*")\)/g;
  const kept = [];
  const without = html.replace(data, (_, text) => {
    kept.push(text);
    return `JSON.parse(\0${kept.length - 1}\0)`;
  });
  return (
    without
      .replaceAll(BASE, up(depth))
      .replace(/\0(\d+)\0/g, (_, index) => `${kept[index]}.replaceAll(${JSON.stringify(BASE)}, __base__)`)
      .replace(
        '<head>',
        `<head><script>var __base__ = new URL(${JSON.stringify(up(depth))}, location.href).pathname</script>`,
      )
      // The links that hydration keeps must hold when the page in the browser has become one of another folder.
      .replace(
        '</body>',
        '<script>for (const a of document.querySelectorAll("a[href], link[rel=icon]")) a.href = a.href</script></body>',
      )
  );
}

/**
 * A script: its addresses begin with the base that the page found.
 * @param {string} code
 */
export function relocateScript(code) {
  return code
    .replaceAll(`"${BASE}`, ' __base__+"')
    .replaceAll(`'${BASE}`, " __base__+'")
    .replaceAll(`\`${BASE}`, ' __base__+`');
}

/**
 * A style sheet: its addresses are relative to itself.
 * @param {string} code
 * @param {number} depth
 */
export function relocateStyle(code, depth) {
  return code.replaceAll(BASE, up(depth));
}
