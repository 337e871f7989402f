// That `pull` listens to the machine's settings about trust as the other commands do.

import { writeFileSync } from 'node:fs';
import { afterEach, expect, test, vi } from 'vitest';
import { runCli } from '../../../src/cli/program.ts';
import { writeLayers } from '../image/fixture.ts';
import { file } from '../image/tarball.ts';
import { temporaryRoot } from '../stages/temporary-root.ts';

afterEach(() => vi.restoreAllMocks());

test('a signature that the settings want is asked for', async () => {
  const { directory } = temporaryRoot();
  await writeLayers(`${directory}/layout`, 'v1', [[file('a')]]);
  let text = '';
  const take = (chunk: unknown) => {
    text += String(chunk);
    return true;
  };
  vi.spyOn(process.stderr, 'write').mockImplementation(take);
  vi.spyOn(process.stdout, 'write').mockImplementation(take);
  vi.spyOn(process, 'getuid').mockReturnValue(0);
  const image = `oci-layout:${directory}/layout:v1`;
  const pull = () => runCli(['pull', '--dry-run', '--config-dir', directory, image, `${directory}/out`]);
  expect(await pull()).toBe(0);
  writeFileSync(`${directory}/config.yaml`, `cosign: true\ncosign-key: ${directory}/none.pub\n`);
  expect(await pull()).not.toBe(0);
  expect(text).toContain(`the key ${directory}/none.pub can't be read`);
});
