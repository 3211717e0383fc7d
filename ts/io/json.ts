import { GruError } from '../base/errors.ts';

/** Most bytes of a config or of a model.json: about 1 KB a layer, 100 bytes a weight. */
const MAX_JSON = 2 ** 24;

/** Configs nest about 12 deep; what walks them is recursive. */
const MAX_NESTING = 100;

/** Objects and lists: about 30 a layer. Parsed they take up to 100 bytes for two of text. */
const MAX_CONTAINERS = 500_000;

/** Keys of objects: parsed, each takes up to 100 bytes too. */
const MAX_KEYS = 1_000_000;

/** What commas are between. Lists of numbers take up to 24 bytes for two of text while they grow; those of weights have ten a number. */
const MAX_ITEMS = 2_000_000;

/** Codes: a text of a single character is found in a table, at three times the cost. */
export const [QUOTE, COMMA, BACKSLASH, COLON, BRACKET, BRACE] = [0x22, 0x2c, 0x5c, 0x3a, 0x5b, 0x7b];

/** Why JSON text is not parsed: it nests too deeply or holds too much. Character by character: no stack. */
function tooMuch(json: string): string | undefined {
  let depth = 0;
  let containers = 0;
  let keys = 0;
  let items = 0;
  let quoted = false;
  for (let i = 0; i < json.length; i++) {
    const c = json.charCodeAt(i);
    if (quoted) {
      if (c === BACKSLASH) i++;
      else if (c === QUOTE) quoted = false;
    } else if (c === QUOTE) quoted = true;
    else if (c === BRACKET || c === BRACE) {
      if (++depth > MAX_NESTING) return 'nests objects and lists too deeply';
      if (++containers > MAX_CONTAINERS) return `has more than ${MAX_CONTAINERS} objects and lists`;
    } else if (c === BRACKET + 2 || c === BRACE + 2) depth--;
    else if (c === COLON && ++keys > MAX_KEYS) return `has more than ${MAX_KEYS} keys`;
    else if (c === COMMA && ++items > MAX_ITEMS) return `has more than ${MAX_ITEMS} items`;
  }
  return undefined;
}

/** The text of bytes in UTF-8. @throws GruError `invalid_file`. */
export function utf8(bytes: Uint8Array, what: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new GruError('invalid_file', `${what} is no UTF-8 text`, { cause });
  }
}

/**
 * Parses a JSON object. What would take much memory or a deep stack is refused before.
 *
 * @param maxLength Most bytes or characters.
 * @throws GruError `invalid_file`.
 */
export function parseJson(json: string | Uint8Array, what: string, maxLength = MAX_JSON): Record<string, unknown> {
  if (json.length > maxLength) {
    throw new GruError('invalid_file', `${what} has ${json.length} bytes, more than the ${maxLength} of a JSON text`);
  }
  const text = typeof json === 'string' ? json : utf8(json, what);
  const why = tooMuch(text);
  if (why !== undefined) throw new GruError('invalid_file', `${what} ${why}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new GruError('invalid_file', `${what} is no JSON: ${String(cause)}`, { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new GruError('invalid_file', `${what} is no JSON object`);
  }
  return value as Record<string, unknown>;
}
