// Standard output for commands that print a file. A reader that has seen enough (`| head`) is no error.

import { errnoOf } from '../system/errors.ts';

/** Writes a text and waits until it has been taken. */
export function printText(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: unknown) => (errnoOf(error) === 'EPIPE' ? resolve() : reject(error));
    process.stdout.on('error', failed);
    process.stdout.write(text, (error) => (error ? failed(error) : resolve()));
  });
}
