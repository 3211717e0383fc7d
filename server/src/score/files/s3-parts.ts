import type { CompletedPart, S3Client } from '@aws-sdk/client-s3';

/** What the store takes: bytes of a part at least, parts of an object. */
const LEAST_PART = 8 * 2 ** 20;
const MOST_PARTS = 10_000;

/** Parts that are on their way, each in memory. */
const AT_ONCE = 3;

type Commands = typeof import('@aws-sdk/client-s3');

/**
 * An object that is sent while it is made: in parts (a multipart upload), or as one where it is small. Nothing is there before {@link commit}. A part that is
 * refused is said at the next write; the package lib-storage says it when all others have been sent.
 */
export class PartedObject {
  private readonly client: S3Client;
  private readonly commands: Commands;
  private readonly place: { Bucket: string; Key: string };
  private readonly partSize: number;
  private held: Uint8Array[] = [];
  private bytes = 0;
  private id: string | undefined;
  private readonly parts: Promise<CompletedPart>[] = [];
  private readonly onTheirWay = new Set<Promise<unknown>>();

  /** @param about How many bytes it may get. */
  constructor(client: S3Client, commands: Commands, place: { Bucket: string; Key: string }, about: number) {
    [this.client, this.commands, this.place] = [client, commands, place];
    this.partSize = Math.max(LEAST_PART, Math.ceil(about / MOST_PARTS));
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.held.push(bytes);
    this.bytes += bytes.length;
    if (this.bytes < this.partSize) return;
    const all = Buffer.concat(this.held);
    let at = 0;
    for (; all.length - at >= this.partSize; at += this.partSize) await this.send(all.subarray(at, at + this.partSize));
    this.held = [all.subarray(at)];
    this.bytes = all.length - at;
  }

  async commit(): Promise<void> {
    const { CompleteMultipartUploadCommand, PutObjectCommand } = this.commands;
    const rest = Buffer.concat(this.held);
    if (this.id === undefined) {
      await this.client.send(new PutObjectCommand({ ...this.place, Body: rest }));
      return;
    }
    if (rest.length > 0) await this.send(rest);
    const MultipartUpload = { Parts: await Promise.all(this.parts) };
    const words = { ...this.place, UploadId: this.id, MultipartUpload };
    await this.client.send(new CompleteMultipartUploadCommand(words));
  }

  /** Leaves nothing behind, where the store can be reached. */
  async abort(): Promise<void> {
    if (this.id === undefined) return;
    // One that came in later would stay.
    await Promise.allSettled(this.parts);
    const { AbortMultipartUploadCommand } = this.commands;
    await this.client
      .send(new AbortMultipartUploadCommand({ ...this.place, UploadId: this.id }))
      .catch(() => undefined);
  }

  private async send(Body: Uint8Array): Promise<void> {
    const { CreateMultipartUploadCommand, UploadPartCommand } = this.commands;
    this.id ??= (await this.client.send(new CreateMultipartUploadCommand(this.place))).UploadId!;
    const words = { ...this.place, UploadId: this.id, PartNumber: this.parts.length + 1 };
    const part = this.client
      .send(new UploadPartCommand({ ...words, Body }))
      .then(({ ETag }) => ({ ETag, PartNumber: words.PartNumber }));
    this.parts.push(part);
    // Whoever waits next gets what it was refused for.
    const gone = part.finally(() => this.onTheirWay.delete(gone));
    gone.catch(() => undefined);
    this.onTheirWay.add(gone);
    if (this.onTheirWay.size >= AT_ONCE) await Promise.race(this.onTheirWay);
  }
}
