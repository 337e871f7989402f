// A layout for another disk is refused before anything is written.

import { symlinkSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { checkLayout } from '../../../src/lifecycle/partition-layout.ts';
import { temporaryRoot } from '../stages/temporary-root.ts';

const layout = (device: string) => ({
  name: 'layout.yaml',
  text: `stages:\n  partitioning:\n    - name: x\n    - layout:\n        device: ${device}\n`,
});

test.each(['{path: /dev/x}', '{label: COS_GRUB}', '{path: "script:///find"}', '{path: "/dev/{{ .Values.x }}"}'])(
  'a layout for %s may be for this disk',
  (device) => {
    expect(() => checkLayout(layout(device), '/dev/x')).not.toThrow();
  },
);

test('one for another disk', () => {
  expect(() => checkLayout(layout('{path: /dev/sda}'), '/dev/x')).toThrow(
    expect.objectContaining({
      code: 'HF-STAGE',
      message: 'the layout is for /dev/sda, and /dev/x is installed',
      location: { file: 'layout.yaml', line: 4, column: 7 },
    }),
  );
});

test('a link to the disk is the disk', () => {
  const { directory } = temporaryRoot();
  writeFileSync(`${directory}/disk`, '');
  symlinkSync('disk', `${directory}/by-id`);
  expect(() => checkLayout(layout(`{path: ${directory}/by-id}`), `${directory}/disk`)).not.toThrow();
});

test('a file that would make no partitions', () => {
  expect(() => checkLayout({ name: 'x.yaml', text: 'stages: {boot: [{name: a}]}' }, '/dev/x')).toThrow(
    'x.yaml has no stage partitioning',
  );
});
