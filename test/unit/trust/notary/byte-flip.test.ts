// No byte of any served file matters in a way that isn't noticed: whichever is changed, the answer is the same digest or a
// refusal with a name, never another digest and never a crash.

import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { verifyNotary } from '../../../../src/trust/notary/verify.ts';
import { TrustError } from '../../../../src/trust/trust-error.ts';
import { checksOf } from './cases.ts';
import { MemoryStore, serve } from './repository.ts';

function filesBelow(directory: string): Map<string, Buffer> {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  return new Map(
    entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((file) => [relative(directory, file), readFileSync(file)]),
  );
}

describe.each(['valid-releases', 'canonical-json', 'valid-rsa-root-wildcard', 'own-valid'])(
  '%s',
  { timeout: 60_000 },
  (name) => {
    const [check] = checksOf(name);
    if (check === undefined) throw new TypeError('a case without checks');
    const question = check;
    const original = filesBelow(check.server);

    /** The outcome with other files: the digest, or the name of the refusal. */
    async function outcome(files: ReadonlyMap<string, Buffer>): Promise<string> {
      const { gun, tag, now } = question;
      try {
        const answer = await verifyNotary({
          gun,
          tag,
          now,
          server: 'https://registry.example',
          store: new MemoryStore(),
          http: { exchange: serve(files), credentials: async () => undefined, attempts: 1 },
          builtAt: new Date('2026-01-01T00:00:00Z'),
        });
        return answer.digest;
      } catch (error) {
        if (error instanceof TrustError) return error.reason;
        throw error;
      }
    }

    test('each file is needed or unused, at every place', async () => {
      const expected = await outcome(original);
      expect(expected).toMatch(/^sha256:/);
      let refused = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...original.keys()),
          fc.nat(),
          fc.integer({ min: 1, max: 255 }),
          async (file, place, mask) => {
            const bytes = Buffer.from(original.get(file) ?? '');
            const at = place % bytes.length;
            bytes[at] = (bytes[at] ?? 0) ^ mask;
            const got = await outcome(new Map(original).set(file, bytes));
            if (got === expected) return;
            refused += 1;
            expect(got).not.toMatch(/^sha256:/);
          },
        ),
        { numRuns: 250 },
      );
      expect(refused).toBeGreaterThan(50);
    });

    test('a file that is cut anywhere is refused', async () => {
      const expected = await outcome(original);
      await fc.assert(
        fc.asyncProperty(fc.constantFrom(...original.keys()), fc.nat(), async (file, place) => {
          const bytes = original.get(file) ?? Buffer.alloc(0);
          const cut = bytes.subarray(0, place % bytes.length);
          const got = await outcome(new Map(original).set(file, cut));
          if (got !== expected) expect(got).not.toMatch(/^sha256:/);
        }),
        { numRuns: 60 },
      );
    });
  },
);
