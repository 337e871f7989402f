// The types that authors write stage files with: checked by the compiler, which wants an error where one is announced.

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { stageFileTypes } from '../../../scripts/stage-file-types.ts';
import { defineCloudConfig, defineConfig } from '../../../src/authoring/holdfast.ts';

it('src/authoring/stagefile.generated.ts is what `npm run docs` writes', () => {
  const file = new URL('../../../src/authoring/stagefile.generated.ts', import.meta.url);
  expect(readFileSync(file, 'utf8')).toBe(stageFileTypes());
});

it('gives back what it is given', () => {
  const config = { name: 'a', stages: { boot: [{ commands: ['a'] }], 'my-own': [] } };
  expect(defineConfig(config)).toBe(config);
  expect(defineCloudConfig(config)).toBe(config);
});

it('takes what a stage file can say', () => {
  defineConfig({
    name: 'a',
    stages: {
      'boot.before': [{ if: 'true', only_arch: 'amd64' }, { only_arch: '^(amd|arm)64$' }],
      boot: [
        {
          after: ['one', { name: 'a.two' }],
          files: [{ path: '/a', content: new Uint8Array(), permissions: 0o644 }, { permissions: '0644' }],
          sysctl: { 'net.ipv4.ip_forward': 1 },
          environment: { A: 'b', B: true },
          users: { bob: { uid: 1000, groups: ['wheel'] } },
          layout: { device: { label: 'COS_STATE' }, add_partitions: [{ filesystem: 'xfs' }] },
        },
      ],
    },
    install: { device: '/dev/sda' },
  });
  defineConfig(() => ({ stages: {} }));
  defineConfig(Promise.resolve({ stages: {} }));
  defineCloudConfig({ users: ['default', { name: 'bob', groups: 'a, b' }], runcmd: ['a', ['b', 'c']] });
});

it('refuses what it can’t', () => {
  // @ts-expect-error a misspelt key of the file
  defineConfig({ stagess: {} });
  // @ts-expect-error a misspelt key of a step
  defineConfig({ stages: { boot: [{ comands: [] }] } });
  // @ts-expect-error a text for a list
  defineConfig({ stages: { boot: [{ commands: 'echo' }] } });
  // @ts-expect-error no word that is known
  defineConfig({ stages: { boot: [{ files: [{ encoding: 'base-64' }] }] } });
  // @ts-expect-error a mapping for a list of steps
  defineConfig({ stages: { 'my-own': { commands: [] } } });
  // @ts-expect-error keys of cloud-init belong into a file of theirs
  defineConfig({ runcmd: ['a'] });
  expect.assertions(0);
});
