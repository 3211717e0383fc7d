import { onScopeDispose, readonly, ref, type Ref, shallowRef, type ShallowRef } from 'vue';

/** What runs until it is stopped. */
export interface Running {
  stop: () => Promise<void>;
}

export interface Session<T extends Running> {
  /** What runs now. */
  current: Readonly<ShallowRef<T | undefined>>;
  /** Whether there is something to stop: it runs, or is on its way. */
  active: Readonly<Ref<boolean>>;
  /**
   * Stops what runs, then opens something else. What is stopped while it opens (by `stop`, by another `start`, or because its component has
   * gone) is closed as soon as it is open, and never becomes `current`.
   * @throws what `open` throws, unless it was stopped: then nobody waits for it
   */
  start: (open: () => Promise<T>) => Promise<void>;
  stop: () => Promise<void>;
}

/** At most one thing that runs, and none once the component that called this is unmounted. */
export function useSession<T extends Running>(): Session<T> {
  const current = shallowRef<T>();
  const active = ref(false);
  /** Of the last start; one that is no longer it has been stopped. */
  let token: symbol | undefined;
  let gone = false;

  async function stop(): Promise<void> {
    token = undefined;
    active.value = false;
    const running = current.value;
    current.value = undefined;
    await running?.stop();
  }

  async function start(open: () => Promise<T>): Promise<void> {
    const stopped = stop();
    if (gone) return;
    const mine = (token = Symbol());
    active.value = true;
    try {
      await stopped;
      if (token !== mine) return;
      const opened = await open();
      if (token === mine) current.value = opened;
      else await opened.stop();
    } catch (error) {
      if (token !== mine) return;
      token = undefined;
      active.value = false;
      throw error;
    }
  }

  onScopeDispose(() => {
    gone = true;
    void stop();
  });
  return { current, active: readonly(active), start, stop };
}
