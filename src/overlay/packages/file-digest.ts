// The digest of a regular file, read without following a link or waiting for a pipe.

import { createHash } from 'node:crypto';
import { closeSync, constants, openSync, readSync } from 'node:fs';

const BUFFER = Buffer.alloc(1 << 18);

/** As hexadecimal digits. @throws the system's own error when it can't be opened. */
export function fileDigest(path: string, algorithm: string): string {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const hash = createHash(algorithm);
    for (let count = readSync(fd, BUFFER); count > 0; count = readSync(fd, BUFFER))
      hash.update(BUFFER.subarray(0, count));
    return hash.digest('hex');
  } finally {
    closeSync(fd);
  }
}
