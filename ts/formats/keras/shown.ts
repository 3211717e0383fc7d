/** A value of the config as a message shows it: as JSON, cut short; `undefined` where there is none. */
export function shown(value: unknown): string {
  const json = JSON.stringify(value) as string | undefined;
  return json === undefined || json.length <= 100 ? `${json}` : `${json.slice(0, 100)}...`;
}
