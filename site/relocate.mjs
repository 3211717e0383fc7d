// VitePress writes absolute addresses under a base that is known when the site is built. Ours is a placeholder, and becomes the folder that the
// page was loaded from: so the site works in any folder of any server.

import { parseAst } from 'vite';

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

/** What an expression of JavaScript for `text` in quotes is, whose base is put in when it runs. */
function relocated(text, quote) {
  const parts = text.split(BASE).map((part) => part && quote + part + quote);
  return parts
    .flatMap((part, i) => (i > 0 ? ['__base__', part] : [part]))
    .filter(Boolean)
    .join('+');
}

/**
 * A script: the base that the page found is put into its strings, wherever in them it stands. Which quote begins a string, and which is a letter of one
 * (the index of the search is JSON in quotes of the other kind), only a parser knows.
 * @param {string} code
 * @returns {string}
 */
export function relocateScript(code) {
  if (!code.includes(BASE)) return code;
  /** Where a string lies, and what takes its place. */
  const edits = [];
  const visit = (node, parent) => {
    if (!node || typeof node !== 'object') return;
    if (node.type === 'Literal' && typeof node.value === 'string' && node.raw.includes(BASE)) {
      if (/^(Import|Export)/.test(parent.type))
        throw new Error(`a script imports from ${node.value}: no base can be put in`);
      const text = relocated(node.raw.slice(1, -1), node.raw[0]);
      const isKey = parent.type === 'Property' && parent.key === node && !parent.computed;
      edits.push([node.start, node.end, isKey ? `[${text}]` : `(${text})`]);
    } else if (node.type === 'TemplateElement' && node.value.raw.includes(BASE)) {
      edits.push([node.start, node.end, node.value.raw.replaceAll(BASE, '${__base__}')]);
    } else {
      for (const value of Object.values(node))
        for (const child of Array.isArray(value) ? value : [value]) visit(child, node);
    }
  };
  visit(parseAst(code), undefined);
  const texts = edits.sort(([a], [b]) => b - a);
  return texts.reduce((text, [start, end, place]) => text.slice(0, start) + place + text.slice(end), code);
}

/**
 * A style sheet: its addresses are relative to itself.
 * @param {string} code
 * @param {number} depth
 */
export function relocateStyle(code, depth) {
  return code.replaceAll(BASE, up(depth));
}
