import { Redis } from 'ioredis';
import { CommandError, EXIT } from 'gru-wasm/command';
import { quote } from './oip/messages.ts';
import { UsageError } from './words.ts';

/** @throws UsageError for what is no address of a Redis. */
export function checkRedisUrl(option: string, url: string): void {
  if (/^rediss?:\/\/[^/]/.test(url) && URL.canParse(url)) return;
  throw new UsageError(`--${option} must be an address like redis://host:6379, got ${quote(url)}`);
}

/** Clients wait for their Redis for ever: one that is not there at all, or lets nobody in, is to be said. @throws (as a rejection) CommandError. */
export async function checkRedis(option: string, url: string): Promise<void> {
  checkRedisUrl(option, url);
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null, connectTimeout: 5000 });
  let reason: Error | undefined;
  redis.on('error', (error: Error) => (reason = error));
  try {
    await redis.connect();
    await redis.ping();
  } catch (cause) {
    const { message } = reason ?? (cause as Error);
    throw new CommandError(EXIT.host, `no Redis answers at ${new URL(url).host}: ${message}`, { cause });
  } finally {
    redis.disconnect();
  }
}
