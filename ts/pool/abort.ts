interface Shared {
  readonly acts: Set<() => void>;
  readonly listener: () => void;
}

const shared = new WeakMap<AbortSignal, Shared>();

/**
 * Calls `act` when the signal aborts, until what is returned is called. Calls that share a signal share a listener of it: Node warns of a
 * leak where there are more than ten.
 */
export function onAbort(signal: AbortSignal, act: () => void): () => void {
  const { acts, listener } = shared.get(signal) ?? listen(signal);
  acts.add(act);
  return () => {
    acts.delete(act);
    if (acts.size > 0) return;
    shared.delete(signal);
    signal.removeEventListener('abort', listener);
  };
}

function listen(signal: AbortSignal): Shared {
  const acts = new Set<() => void>();
  const listener = () => {
    for (const act of [...acts]) act();
  };
  // The caller's code: nothing is to be undone where it throws.
  signal.addEventListener('abort', listener, { once: true });
  const made = { acts, listener };
  shared.set(signal, made);
  return made;
}
