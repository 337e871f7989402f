// The executable gives the same answers to the cosign fixtures as Node does: its runtime has cryptography of its own, and
// @sigstore/verify has to survive being packed into it. Takes a few seconds.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { ensureExecutable } from '../../../lab/executable.ts';
import { run } from '../../../src/system/process.ts';

const FIXTURES = join(import.meta.dirname, '../../fixtures/cosign');
const ISSUER = 'https://token.actions.githubusercontent.com';
const SUBJECT = 'https://github.com/demo-os/images/.github/workflows/release.yaml@refs/heads/main';
const ROOT = join(FIXTURES, 'keys/trusted_root.json');
const key = (name: string) => ['--cosign-key', join(FIXTURES, `keys/${name}.pub`)];
const keyless = (subject: string) => [
  ...['--cosign-issuer', ISSUER, '--cosign-identity', subject],
  ...['--cosign-trusted-root', ROOT],
];

let executable: string;
beforeAll(async () => {
  executable = await ensureExecutable(() => {});
});

const lineSchema = z.looseObject({ type: z.string() });

/** `holdfast verify` on the image of a case; the last line that it printed as JSON. */
async function verify(name: string, flags: readonly string[]) {
  const layout = `oci-layout:${join(FIXTURES, name, 'layout')}:v1.0.0`;
  const { status, stdout } = await run([executable, 'verify', layout, '--json', ...flags]);
  const line = stdout.trim().split('\n').at(-1) ?? '';
  return { status, result: lineSchema.parse(JSON.parse(line)) };
}

test.each<[string, readonly string[]]>([
  ['valid-p256', key('p256')],
  ['valid-ed25519', key('ed25519')],
  ['valid-rsa', key('rsa')],
  ['one-of-two', key('p256')],
  ['bundle-key', key('p256')],
  ['keyless-tag', keyless(SUBJECT)],
  ['keyless-bundle', keyless(SUBJECT)],
])('%s is verified', async (name, flags) => {
  const { digest } = z
    .object({ image: z.object({ digest: z.string() }) })
    .parse(JSON.parse(readFileSync(join(FIXTURES, name, 'case.json'), 'utf8'))).image;
  expect(await verify(name, flags)).toMatchObject({ status: 0, result: { outcome: 'verified', digest } });
});

test.each<[string, readonly string[], string]>([
  ['unsigned', key('p256'), 'no-signatures'],
  ['wrong-key', key('p256'), 'signature-invalid'],
  ['tampered-payload', key('p256'), 'signature-invalid'],
  ['wrong-digest', key('p256'), 'digest-mismatch'],
  ['payload-blob-mismatch', key('p256'), 'blob-digest-mismatch'],
  ['bundle-wrong-predicate', key('p256'), 'payload-type'],
  ['keyless-tag', keyless(SUBJECT.replace('github.com/', 'githubXcom/')), 'identity-mismatch'],
  ['keyless-bundle', keyless(SUBJECT.slice(0, -5)), 'identity-mismatch'],
  ['keyless-tag-bad-set', keyless(SUBJECT), 'tlog-invalid'],
  ['keyless-tag-no-rekor', keyless(SUBJECT), 'tlog-missing'],
  ['keyless-tag', ['--cosign'], 'identity-required'],
])('%s with %j is refused: %s', async (name, flags, reason) => {
  expect(await verify(name, flags)).toMatchObject({ status: 98, result: { type: 'error', code: 'HF-TRUST', reason } });
});
