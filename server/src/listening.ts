import { lookup } from 'node:dns/promises';
import { BlockList } from 'node:net';
import { CommandError, EXIT } from 'gru-wasm/command';
import { quote } from './oip/messages.ts';
import { UsageError } from './words.ts';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8);
LOOPBACK.addAddress('::1', 'ipv6');

/** @returns Whether it is this machine alone that reaches it. @throws (as a rejection) UsageError for a name that no host has. */
export async function isLoopback(host: string): Promise<boolean> {
  try {
    const { address, family } = await lookup(host);
    return LOOPBACK.check(address, family === 6 ? 'ipv6' : 'ipv4');
  } catch (cause) {
    throw new UsageError(`--host ${quote(host)}: there is no such host`, { cause });
  }
}

/** What the system says of an address that it does not give. */
const REASONS = [
  [/EADDRINUSE/, 'another program listens there, or --port and --grpc-port are the same'],
  [/EADDRNOTAVAIL/, 'this machine does not have that address'],
  [/EACCES/, 'not permitted, as ports below 1024 often are'],
] as const;

/** Of gRPC no code comes, but a text. @throws (as a rejection) CommandError that says why nothing can listen there. */
export async function listening<T>(option: string, address: string, bound: Promise<T>): Promise<T> {
  try {
    return await bound;
  } catch (cause) {
    const { message } = cause as Error;
    const reason = REASONS.find(([code]) => code.test(message))?.[1] ?? message;
    throw new CommandError(EXIT.host, `--${option}: ${address} cannot be listened at: ${reason}`, { cause });
  }
}
