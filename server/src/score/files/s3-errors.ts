import { CommandError, EXIT, type ExitCode } from 'gru-wasm/command';
import { changed } from './disk.ts';

/** An error as the client of AWS throws it. */
interface Refusal extends Error {
  code?: string;
  $metadata?: { httpStatusCode?: number };
}

const statusOf = (error: unknown) => (error as Refusal).$metadata?.httpStatusCode;

/** There is no such object; of a bucket that is not there an error of its own comes, but to HEAD, whose answers have no text. */
export const isMissing = (error: unknown) =>
  statusOf(error) === 404 && (error as Refusal).name !== 'NoSuchBucket' && error instanceof Error;

/** The connection broke: another try may come through. */
export const isBroken = (error: unknown) =>
  error instanceof Error &&
  (statusOf(error) === undefined || statusOf(error) === 200 || statusOf(error) === 206) &&
  /^(ECONNRESET|ETIMEDOUT|EPIPE|ERR_STREAM_PREMATURE_CLOSE)$|aborted|socket hang up/.test(
    (error as Refusal).code ?? error.message,
  );

/** What is known by its name. */
const BY_NAME: Record<string, readonly [ExitCode, string]> = {
  NoSuchBucket: [EXIT.file, 'there is no such bucket'],
  CredentialsProviderError: [
    EXIT.host,
    'no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run where a role gives them',
  ],
  InvalidAccessKeyId: [EXIT.host, 'the store does not know AWS_ACCESS_KEY_ID'],
  SignatureDoesNotMatch: [EXIT.host, 'the store refuses the signature: AWS_SECRET_ACCESS_KEY is not that of the key'],
  ExpiredToken: [EXIT.host, 'AWS_SESSION_TOKEN has expired'],
  RequestTimeTooSkewed: [EXIT.host, "this machine's clock is not the store's"],
};

const BY_STATUS: Record<number, readonly [ExitCode, string]> = {
  301: [EXIT.host, 'the bucket is in another region: set AWS_REGION'],
  403: [EXIT.file, 'access denied'],
  404: [EXIT.file, 'no such object or bucket'],
};

/** In one line, what to do about it. */
export function refusalOf(path: string, error: unknown): unknown {
  if (error instanceof CommandError || !(error instanceof Error)) return error;
  const { name, message } = error;
  const status = statusOf(error);
  // 416: it has become shorter.
  if (status === 412 || status === 416) return changed(path, error);
  const known =
    BY_NAME[name] ?? (/region is missing|region not accepted/i.test(message) ? REGION : BY_STATUS[status ?? 0]);
  const [exit, text] = known ?? [
    EXIT.host,
    status === undefined ? `no answer of the store: ${lineOf(error)}` : lineOf(error),
  ];
  return new CommandError(exit, `${path}: ${text}`, { cause: error });
}

const REGION = [EXIT.host, 'set AWS_REGION'] as const;

/** Errors of connections may have no message, but those of all addresses that were tried. */
function lineOf(error: Error): string {
  const { name, message, code } = error as Refusal;
  const [first] = error instanceof AggregateError ? (error.errors as Error[]) : [];
  const text = [message, first?.message, code].find((one) => one !== undefined && one !== '') ?? '';
  return [name === 'Error' ? '' : name, text.replaceAll(/\s+/g, ' ').slice(0, 300)].filter(Boolean).join(': ');
}
