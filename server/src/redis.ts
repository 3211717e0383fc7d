import { Redis } from 'ioredis';
import { CommandError, EXIT } from 'gru-wasm/command';
import { quote } from './oip/messages.ts';
import { UsageError } from './words.ts';

/** @throws UsageError for what is no address of a Redis. */
export function checkRedisUrl(option: string, url: string): void {
  if (/^rediss?:\/\/[^/]/.test(url) && URL.canParse(url)) return;
  throw new UsageError(`--${option} must be an address like redis://host:6379, got ${quote(withoutPassword(url))}`);
}

/** For messages: what stands before the host may be a password. */
export function withoutPassword(url: string): string {
  const [start, host] = [url.indexOf('//'), url.lastIndexOf('@') + 1];
  if (host === 0) return url;
  return (start < 0 || start > host ? '' : url.slice(0, start + 2)) + url.slice(host);
}

/** Clients wait for their Redis for ever: one that is not there at all, lets nobody in or is a cluster is to be said. @throws (as a rejection) CommandError. */
export async function checkRedis(option: string, url: string): Promise<void> {
  checkRedisUrl(option, url);
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null, connectTimeout: 5000 });
  const { host } = new URL(url);
  let reason: Error | undefined;
  let isCluster: boolean;
  redis.on('error', (error: Error) => (reason = error));
  try {
    await redis.connect();
    isCluster = (await redis.info('cluster')).includes('cluster_enabled:1');
  } catch (cause) {
    const { message } = reason ?? (cause as Error);
    throw new CommandError(EXIT.host, `no Redis answers at ${host}: ${message}`, { cause });
  } finally {
    redis.disconnect();
  }
  if (isCluster) {
    throw new CommandError(EXIT.host, `the Redis at ${host} is a cluster: scripts here write keys of all its parts`);
  }
}
