// Read when the site is built.
import { newest } from '../../lib/records.ts';

declare const data: ReturnType<typeof newest>;
export { data };

export default {
  watch: ['../../../bench/records/*.json'],
  load: () => newest(new URL('../../../bench/records/', import.meta.url)),
};
