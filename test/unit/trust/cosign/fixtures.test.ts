// Every case of the cosign fixtures must get the answer that its case.json demands: signatures in both layouts, by keys and
// keyless, good ones and one broken thing at a time.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { parseDigest } from '../../../../src/image/digest.ts';
import { LayoutRepository } from '../../../../src/image/layout-repository.ts';
import { parseCosignKey } from '../../../../src/trust/cosign/public-key.ts';
import { type CosignAnswer, verifyCosign } from '../../../../src/trust/cosign/verify.ts';
import { isPossibleAttack, TrustError } from '../../../../src/trust/trust-error.ts';

const FIXTURES = join(import.meta.dirname, '../../../fixtures/cosign');

const caseSchema = z.object({
  description: z.string(),
  image: z.object({ repository: z.string(), tag: z.string(), digest: z.string(), size: z.number() }),
  key: z.string().optional(),
  keyless: z.object({ trustedRoot: z.string() }).optional(),
  checks: z.array(
    z.strictObject({
      key: z.string().optional(),
      identity: z.object({ issuer: z.string(), san: z.string() }).optional(),
      enforceReference: z.boolean().default(false),
      requireAnnotations: z.record(z.string(), z.string()).default({}),
      expect: z.union([
        z.strictObject({ ok: z.literal(true), warning: z.string().optional() }),
        z.strictObject({ ok: z.literal(false), error: z.string() }),
      ]),
    }),
  ),
});
type Case = z.infer<typeof caseSchema>;
type Check = Case['checks'][number];

const CASES = readdirSync(FIXTURES, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== 'keys')
  .map(({ name }) => ({
    name,
    fixture: caseSchema.parse(JSON.parse(readFileSync(join(FIXTURES, name, 'case.json'), 'utf8'))),
  }));
const CHECKS = CASES.flatMap(({ name, fixture }) =>
  fixture.checks.map((check, index) => ({ name, index, fixture, check })),
);

function verify(name: string, { image, key, keyless }: Case, check: Check): Promise<CosignAnswer> {
  const file = (path: string) => readFileSync(join(FIXTURES, name, path), 'utf8');
  const wanted = check.key ?? key;
  return verifyCosign({
    digest: parseDigest(image.digest, 'the image'),
    repository: image.repository,
    signatures: new LayoutRepository(join(FIXTURES, name, 'layout')),
    wish: {
      keys: wanted === undefined ? [] : [parseCosignKey(file(wanted), wanted)],
      identities: check.identity === undefined ? [] : [{ issuer: check.identity.issuer, subject: check.identity.san }],
      trustedRoot: keyless && { text: file(keyless.trustedRoot), from: keyless.trustedRoot },
      requireLog: false,
      enforceReference: check.enforceReference,
      annotations: check.requireAnnotations,
    },
  });
}

describe('every check of the fixtures', () => {
  test('all 19 cases are here, with their 35 checks', () => {
    expect([CASES.length, CHECKS.length]).toEqual([19, 35]);
  });

  test.each(CHECKS)('$name, check $index', async ({ name, fixture, check }) => {
    const { expect: wanted } = check;
    if (wanted.ok) {
      const { warnings } = await verify(name, fixture, check);
      expect(warnings.map(({ reason }) => reason)).toEqual(wanted.warning === undefined ? [] : [wanted.warning]);
      return;
    }
    const error = await verify(name, fixture, check).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TrustError);
    if (!(error instanceof TrustError)) return;
    expect(error.reason).toBe(wanted.error);
    expect(error.message.startsWith('possible attack: ')).toBe(isPossibleAttack(error.reason));
    // A refusal by cosign isn't changed by --no-verify, which is about Notary.
    expect(`${error.message} ${error.hint}`).not.toContain('--no-verify');
  });
});
