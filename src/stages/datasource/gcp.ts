// `gcp`: every question and every answer carries the header that tells Google's service from anything else.

import { z } from 'zod';
import { linesOf, MetadataService } from './metadata.ts';
import type { Provider } from './provider.ts';

const SERVICE = 'http://metadata.google.internal/computeMetadata/v1';
const FLAVOR = 'metadata-flavor';

export const gcp: Provider = {
  name: 'gcp',
  async find(context) {
    const service = new MetadataService(SERVICE, context, { [FLAVOR]: 'Google' });
    const hostname = await service.probe('/instance/hostname', ({ headers }) => headers.get(FLAVOR) === 'Google');
    if (hostname === undefined) return undefined;
    return async () => {
      const [keys, userData] = await Promise.all([
        service.text('/project/attributes/ssh-keys'),
        service.bytes('/instance/attributes/user-data'),
      ]);
      return {
        hostname,
        facts: new Map(),
        keys: keysOfProject(keys ?? '', Date.now()),
        ...(userData && { userData }),
      };
    };
  },
};

const expiry = z.object({ expireOn: z.string() });

/**
 * The keys of lines `user:key`, for whoever they are. Google's own tools end a line with the time until which it is
 * good, as JSON after the word `google-ssh`.
 */
export function keysOfProject(text: string, nowMs: number): string[] {
  return linesOf(text).flatMap((line) => {
    const key = line.replace(/^[^\s:]*:/, '');
    const [, note] = key.match(/\sgoogle-ssh\s+(\{.*\})\s*$/) ?? [];
    if (note === undefined) return [key];
    const until = expiryOf(note);
    // A date that can't be read has not been reached by anyone's clock.
    return until === undefined || until > nowMs ? [key.replace(/\s+\{.*\}\s*$/, '')] : [];
  });
}

function expiryOf(note: string): number | undefined {
  try {
    const time = Date.parse(expiry.parse(JSON.parse(note)).expireOn);
    return Number.isNaN(time) ? undefined : time;
  } catch {
    return undefined;
  }
}
