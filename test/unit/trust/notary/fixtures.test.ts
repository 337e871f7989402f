// Every case of the fixtures, asked as an upgrade would ask: over HTTP, with the case's clock, pins and memory. What the
// answer must be was found with two other programs; where they differ from docker's client, ours is stricter on purpose.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verifyNotary } from '../../../../src/trust/notary/verify.ts';
import { isPossibleAttack, TrustError } from '../../../../src/trust/trust-error.ts';
import { allChecks, type Check, questionOf } from './cases.ts';
import { serveDirectory } from './server.ts';

const CHECKS = allChecks();
const MAY_NAME_NO_VERIFY = new Set(['server-unreachable', 'no-trust-data', 'tag-not-signed']);

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'holdfast-notary-'));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

async function ask(check: Check) {
  const server = await serveDirectory(check.server);
  try {
    return await verifyNotary(await questionOf(check, server.url, scratch)).catch((error: unknown) => error);
  } finally {
    await server.close();
  }
}

test('no case was lost', () => {
  expect(CHECKS.length).toBeGreaterThanOrEqual(77);
  expect(new Set(CHECKS.map((check) => check.case)).size).toBeGreaterThanOrEqual(50);
});

describe('accepted', () => {
  const good = CHECKS.flatMap((check) => (check.expect.ok ? [{ ...check, expect: check.expect }] : []));
  test.each(good)('$title → $expect.role', async (check) => {
    const { digest, length, role } = check.expect;
    expect(await ask(check)).toMatchObject({ digest, sizeBytes: length, role, gun: check.gun, tag: check.tag });
  });
});

describe('refused', () => {
  const bad = CHECKS.flatMap((check) => (check.expect.ok ? [] : [{ ...check, expect: check.expect }]));
  test.each(bad)('$title → $expect.error', async (check) => {
    const error = await ask(check);
    if (!(error instanceof TrustError)) throw error;
    expect([check.expect.error].flat()).toContain(error.reason);
    if (check.expect.role !== undefined) expect(error.role).toBe(check.expect.role);
    expect(error).toMatchObject({ code: 'HF-TRUST', exitStatus: 98 });
    expect(error.message).toContain(check.gun);
    expect(error.message.startsWith('possible attack: ')).toBe(isPossibleAttack(error.reason));
    const text = `${error.message} ${error.hint}`;
    expect(text.includes('--no-verify') && !MAY_NAME_NO_VERIFY.has(error.reason)).toBe(false);
  });
});
