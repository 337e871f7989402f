// Names of images as docker reads them: which repository, tag and digest they mean, and which Notary server speaks for it.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { notaryServer } from '../../../src/trust/notary/server.ts';
import { TrustError } from '../../../src/trust/trust-error.ts';
import { parseTrustName } from '../../../src/trust/trust-name.ts';
import { FIXTURES } from './notary/cases.ts';

const schema = z.object({
  cases: z.array(
    z.object({
      ref: z.string(),
      serverOverride: z.string().optional(),
      gun: z.string().optional(),
      tag: z.string().nullish(),
      digest: z.string().optional(),
      server: z.string().optional(),
      error: z.string().optional(),
    }),
  ),
});
const { cases } = schema.parse(JSON.parse(readFileSync(join(FIXTURES, 'references.json'), 'utf8')));

function meaning(reference: string, configured: string | undefined) {
  try {
    const { gun, tag, digest } = parseTrustName(reference);
    return { gun, tag, digest, server: notaryServer(gun, configured) };
  } catch (error) {
    if (error instanceof TrustError) return { error: error.reason };
    throw error;
  }
}

describe('names', () => {
  test.each(cases)('$ref', ({ ref, serverOverride, error, gun, tag, digest, server }) => {
    const expected = error === undefined ? { gun, tag: tag ?? undefined, digest, server } : { error };
    expect(meaning(ref, serverOverride)).toEqual(expected);
  });
});

describe('a server that is named', () => {
  test.each([
    ['https://notary.example:4443', 'https://notary.example:4443'],
    ['https://notary.example/', 'https://notary.example'],
    ['https://notary.example/below/it/', 'https://notary.example/below/it'],
    ['http://localhost:4443', 'http://localhost:4443'],
    ['http://127.0.0.1:4443', 'http://127.0.0.1:4443'],
    ['http://[::1]:4443', 'http://[::1]:4443'],
    ['', 'https://quay.io'],
  ])('%s', (configured, expected) => expect(notaryServer('quay.io/os/base', configured)).toBe(expected));

  test.each([
    'notary.example',
    'http://notary.example',
    'http://localhost.example',
    'http://127.0.0.1.example',
    'ftp://localhost',
    'https://user:secret@notary.example',
    'https://notary.example/?a=b',
    'file:///etc/passwd',
  ])('%s is none', (configured) => {
    let error: unknown;
    try {
      notaryServer('quay.io/os/base', configured);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code: 'HF-TRUST', reason: 'invalid-trust-server' });
    expect(String(error)).not.toContain('secret');
  });
});
