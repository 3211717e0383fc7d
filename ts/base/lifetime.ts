import { GruError } from './errors.ts';

/** Something outside of JavaScript's own memory. `free` is idempotent. */
export interface Resource {
  free(): void;
}

let registry: FinalizationRegistry<Resource> | undefined;

/** Made when it is first needed. Some hosts have none (workerd before 2025-05-05): what is forgotten there stays until the isolate ends. */
function forgotten(): FinalizationRegistry<Resource> | undefined {
  if (typeof FinalizationRegistry !== 'function') return undefined;
  return (registry ??= new FinalizationRegistry((resource) => {
    resource.free();
  }));
}

/** Frees `resource` once `owner`, which it must not refer to, has been collected without having been disposed. */
export function freeWhenForgotten(owner: object, resource: Resource): void {
  forgotten()?.register(owner, resource, resource);
}

/** Frees `resource` now. */
export function freeNow(resource: Resource): void {
  registry?.unregister(resource);
  resource.free();
}

/** What an object works by until it is disposed. @throws GruError `disposed`. */
export function alive<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new GruError('disposed', `${what} has been disposed`);
  return value;
}
