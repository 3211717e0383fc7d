import type { RawData, WebSocket } from 'ws';

/** Serves a connection that has been let in. */
export type Serve = (client: WebSocket) => void;

export type Frame = Uint8Array | string;

/** Frames of a connection that are on their way, answers included that the client has not read; so many, and no more are read. */
const MAX_ON_THEIR_WAY = 32;

/**
 * Answers frames in the order in which they came, each by any number of frames.
 *
 * @param answer Never rejects.
 * @param onEnd Called when the connection is closed and all that it had sent has had its turn.
 */
export function answerFrames(
  client: WebSocket,
  answer: (bytes: Buffer, isBinary: boolean) => Promise<Frame[]>,
  onEnd: () => void,
): void {
  let running = 0;
  let last = Promise.resolve();
  const send = (frame: Frame) =>
    new Promise<void>((resolve) => {
      client.send(frame, () => {
        resolve();
      });
    });
  // Frames that a chunk of the network held still come after `pause`: they wait here.
  const frames: { data: RawData; isBinary: boolean }[] = [];
  const pump = () => {
    while (running < MAX_ON_THEIR_WAY && frames.length > 0) {
      const { data, isBinary } = frames.shift()!;
      running++;
      const answered = answer(data as Buffer, isBinary);
      last = last.then(async () => {
        for (const frame of await answered) await send(frame);
        running--;
        pump();
      });
    }
    if (frames.length === 0) client.resume();
  };
  client.on('message', (data, isBinary) => {
    frames.push({ data, isBinary });
    if (running >= MAX_ON_THEIR_WAY) client.pause();
    else pump();
  });
  // Of a frame that is too large, or malformed: ws closes the connection, with the code that says so.
  client.on('error', () => undefined);
  client.on('close', () => {
    frames.length = 0;
    void last.then(onEnd);
  });
}
