import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { ServeError } from './errors.ts';
import { quote } from './oip/messages.ts';

/** Who asks: the owner of sequences. Nobody in particular where no keys are asked for. */
export type Authenticate = (key: string | undefined) => string;

const ANYONE = 'anyone';

const digestOf = (key: string) => createHash('sha256').update(key).digest('base64url');

/**
 * By API keys; without any, everybody is let in and is one owner. Keys are compared by their digests, so the time that takes tells nothing of them, and
 * an owner is a digest, so that no key gets into a log or a store.
 */
export function authenticator(keys: readonly string[]): Authenticate {
  const owners = new Set(keys.map(digestOf));
  return (key) => {
    if (owners.size === 0) return ANYONE;
    const owner = key === undefined ? undefined : digestOf(key);
    if (owner !== undefined && owners.has(owner)) return owner;
    throw new ServeError(
      'unauthorized',
      `${key === undefined ? 'there' : 'this'} is no API key: send authorization: Bearer KEY`,
    );
  };
}

/**
 * @param allowed Other origins, whose pages are let in.
 * @throws ServeError for a page of another origin, which could otherwise use what its visitor may reach.
 */
export function checkOrigin({ origin, host }: IncomingHttpHeaders, allowed: readonly string[]): void {
  if (origin === undefined || origin.endsWith(`://${host ?? ''}`) || allowed.includes(origin)) return;
  throw new ServeError('forbidden', `pages of ${origin.slice(0, 100)} are not let in`);
}

/**
 * DNS rebinding: the name of a page's host may have the address of this server the next time it is looked up; to the browser they are of one origin then.
 * An address is no name, so it is nobody else's.
 *
 * @param allowed Names of this server, besides localhost; undefined: any.
 * @throws ServeError for a request to another name.
 */
export function checkHostHeader({ host }: IncomingHttpHeaders, allowed: readonly string[] | undefined): void {
  // Browsers always send one.
  if (allowed === undefined || host === undefined) return;
  const name = host.toLowerCase().replace(/:\d*$/, '').replace(/\.$/, '');
  if (isIP(name.replace(/^\[(.*)\]$/, '$1')) > 0 || /^(.+\.)?localhost$/.test(name) || allowed.includes(name)) return;
  throw new ServeError('misdirected', `${quote(host)} is no name of this server: --allow-hosts lists those`);
}

/** The key of `authorization: Bearer KEY` or `x-api-key: KEY`. */
export function keyOf(headers: Record<string, unknown>): string | undefined {
  const { authorization, 'x-api-key': plain } = headers;
  const bearer = typeof authorization === 'string' ? /^Bearer +(\S+)$/i.exec(authorization)?.[1] : undefined;
  return bearer ?? (typeof plain === 'string' ? plain : undefined);
}
