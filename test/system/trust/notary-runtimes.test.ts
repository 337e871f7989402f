// The runtime of the executable gives the same answers to all checks of the fixtures as Node does. Takes a few seconds.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bunProgram } from '../../../lab/executable.ts';
import { runChecked } from '../../../src/system/process.ts';
import { allChecks, questionOf } from '../../unit/trust/notary/cases.ts';
import { type FileServer, serveDirectory } from '../../unit/trust/notary/server.ts';

const CHECKS = allChecks();
let scratch: string;
const servers: FileServer[] = [];
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'holdfast-notary-'));
});
afterAll(async () => {
  for (const server of servers) await server.close();
  rmSync(scratch, { recursive: true, force: true });
});

test('every check', async () => {
  const lines: string[] = [];
  for (const check of CHECKS) {
    const server = await serveDirectory(check.server);
    servers.push(server);
    const { gun, tag, now, pins, store } = await questionOf(check, server.url, scratch);
    const directory = Reflect.get(store, 'directory');
    lines.push(JSON.stringify({ gun, tag, now, pins, server: server.url, store: directory }));
  }
  const program = fileURLToPath(new URL('notary-program.ts', import.meta.url));
  const output = await runChecked([bunProgram(), program], { input: `${lines.join('\n')}\n` });
  const answers = output.trim().split('\n');
  expect(answers).toHaveLength(CHECKS.length);
  for (const [index, check] of CHECKS.entries()) {
    const answer: unknown = JSON.parse(answers[index] ?? '');
    const { expect: wanted } = check;
    const expected = wanted.ok
      ? { digest: wanted.digest, sizeBytes: wanted.length, role: wanted.role }
      : {
          reason: expect.toSatisfy((reason: string) => [wanted.error].flat().includes(reason)),
          ...(wanted.role === undefined ? {} : { role: wanted.role }),
        };
    expect(answer, check.title).toMatchObject(expected);
  }
});
