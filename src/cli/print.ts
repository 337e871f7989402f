// Standard output, and who reads it: a reader that has seen enough (`| head`) is no error and stops no work.

import { errnoOf } from '../system/errors.ts';

let outliving = false;

/** Goes on when nobody reads any more: a stage or an upgrade must not break off in the middle for that. */
export function outliveReaders(): void {
  // Once for the process, however many command lines it runs.
  if (outliving) return;
  outliving = true;
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error) => {
      if (errnoOf(error) !== 'EPIPE') throw error;
    });
  }
}

/** Writes a text and waits until it has been taken. */
export function printText(text: string): Promise<void> {
  return printBytes(Buffer.from(text));
}

/** The same for what is no text. */
export function printBytes(bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: unknown) => (errnoOf(error) === 'EPIPE' ? resolve() : reject(error));
    process.stdout.on('error', failed);
    process.stdout.write(bytes, (error) => (error ? failed(error) : resolve()));
  });
}
