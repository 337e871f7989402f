// Loop devices where nobody makes their nodes, as in a container.

import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { attachLoop, backingFileOf } from '../../../src/system/loopdevices.ts';
import { UndoStack } from '../../../src/system/plan.ts';
import { runChecked } from '../../../src/system/process.ts';

test('a free loop device without a node gets one', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-loop-'));
  const file = join(directory, 'file');
  writeFileSync(file, '');
  truncateSync(file, 1 << 20);
  const free = (await runChecked(['losetup', '--find'])).trim();
  rmSync(free, { force: true });
  const undo = new UndoStack();
  try {
    const { device } = await attachLoop(undo, file);
    expect(device).toBe(free);
    expect(existsSync(free)).toBe(true);
    expect(backingFileOf(device)).toBe(file);
  } finally {
    await undo.unwind(false);
    rmSync(directory, { recursive: true });
  }
});
