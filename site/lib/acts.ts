import { readonly, ref, type Ref } from 'vue';

export interface Acts {
  /** What is being done for the visitor, while it is; an act may say more as it goes on. */
  busy: Ref<string>;
  /** Why the last act failed, until the next one. */
  failure: Readonly<Ref<string>>;
  /** Does what the visitor asks for; what was told of the act before it goes. */
  act: (work: () => Promise<void> | void, what?: string) => Promise<void>;
  /** Does what the visitor did not ask for just now. It takes away nothing that an act told. */
  behind: (work: () => Promise<void> | void) => Promise<void>;
}

/**
 * What a visitor asks of a page, and what is told of it. Acts overlap: one that goes on behind the next does not take away what that one told, and the page is
 * busy until none goes on.
 *
 * @param explain the text of an error
 */
export function useActs(explain: (error: unknown) => string = String): Acts {
  const busy = ref('');
  const failure = ref('');
  let going = 0;

  async function behind(work: () => Promise<void> | void): Promise<void> {
    try {
      await work();
    } catch (error) {
      failure.value ||= explain(error);
    }
  }

  async function act(work: () => Promise<void> | void, what = ''): Promise<void> {
    going++;
    busy.value = what;
    failure.value = '';
    await behind(work);
    if (--going === 0) busy.value = '';
  }

  return { busy, failure: readonly(failure), act, behind };
}
