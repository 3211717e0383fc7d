/** `fetch`, whose failure in a browser says nothing: with what can be known of it. */
export async function reach(url: string | URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (cause) {
    const why = whyUnreachable(url);
    throw why === undefined ? cause : new Error(why, { cause });
  }
}

/** Browsers keep from pages why they were refused something. Of servers, whose errors name the cause, undefined. */
function whyUnreachable(url: string | URL): string | undefined {
  const { location, navigator } = globalThis as { location?: Location; navigator?: { onLine?: boolean } };
  if (!location) return undefined;
  const { origin, protocol } = new URL(url, location.href);
  if (protocol === 'file:' || /^.:$/.test(protocol)) return 'a page reads no paths: give a URL, or a Blob of the file';
  if (navigator?.onLine === false) return 'the browser is offline';
  if (!/^https?:$/.test(protocol) || origin === location.origin) return undefined;
  return `${origin} is not there, or does not let pages of ${location.origin} read it (CORS)`;
}
