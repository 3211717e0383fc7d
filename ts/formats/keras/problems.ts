import { GruError } from '../../base/errors.ts';

/** Most that one error lists. */
const MOST = 20;

/** Thrown where a tensor is asked for that a layer did not make, whose problem is known. */
export class Unmade extends Error {}

/** A layer (operation, module) of a class that is not supported. */
export class UnknownClass extends GruError {
  readonly layer: string;
  readonly className: string;
  readonly supported: readonly string[];
  readonly why: string;

  constructor(layer: string, className: string, why: string, supported: readonly string[]) {
    super('unsupported', `layer '${layer}' is of class ${className}${why}; supported: ${supported.join(', ')}`);
    this.layer = layer;
    this.className = className;
    this.why = why;
    this.supported = supported;
  }
}

/** What cannot be represented, found in one walk through a model, so that one error tells all of it. */
export class Problems {
  readonly #found = new Map<string, GruError>();

  /** What `make` gives; undefined where it is refused, or reads what was. */
  collect<T>(make: () => T): T | undefined {
    try {
      return make();
    } catch (error) {
      if (error instanceof Unmade) return undefined;
      if (!(error instanceof GruError) || error.code !== 'unsupported') throw error;
      if (!this.#found.has(error.message)) this.#found.set(error.message, error);
      return undefined;
    }
  }

  /** @throws GruError `unsupported` with all that was collected. */
  check(): void {
    const found = [...this.#found.values()];
    const [first] = found;
    if (!first) return;
    if (found.length === 1) throw new GruError(first.code, first.message, { cause: first });
    const unknown = found.filter((error) => error instanceof UnknownClass);
    const classes = new Map<string, UnknownClass[]>();
    for (const error of unknown)
      classes.set(error.className + error.why, [...(classes.get(error.className + error.why) ?? []), error]);
    const lines = [
      ...Array.from(classes, ([title, errors]) => `${title} (${listed(errors.map(({ layer }) => `'${layer}'`))})`),
      ...found.filter((error) => !(error instanceof UnknownClass)).map(({ message }) => message),
    ];
    const supported = [...new Set(unknown.flatMap((error) => error.supported))];
    const end = supported.length > 0 ? `. Supported: ${supported.join(', ')}` : '';
    throw new GruError(
      'unsupported',
      `replace ${found.length} layers or settings that are not supported, or take them out of the model: ${listed(lines, '; ')}${end}`,
    );
  }
}

function listed(items: readonly string[], between = ', '): string {
  const rest = items.length - MOST;
  return items.slice(0, MOST).join(between) + (rest > 0 ? `${between}and ${rest} more` : '');
}
