/** Something outside of JavaScript's own memory. `free` is idempotent. */
export interface Resource {
  free(): void;
}

const forgotten = new FinalizationRegistry<Resource>((resource) => {
  resource.free();
});

/** Frees `resource` once `owner`, which it must not refer to, has been collected without having been disposed. */
export function freeWhenForgotten(owner: object, resource: Resource): void {
  forgotten.register(owner, resource, resource);
}

/** Frees `resource` now. */
export function freeNow(resource: Resource): void {
  forgotten.unregister(resource);
  resource.free();
}
