/** A list of cases that are found, not written down. @throws Error where it is empty: nothing would be tested, and nothing fail. */
export function filled<T>(cases: T[], what: string): T[] {
  if (cases.length === 0) throw new Error(`there are no ${what}: nothing would be tested`);
  return cases;
}
