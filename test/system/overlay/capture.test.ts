// `overlay capture`: the stage file that it makes of a changed tree makes the same changes to an unchanged one.

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writeStageFile } from '../../../src/cloudconfig/yamlwriter.ts';
import { type Capture, captureChanges } from '../../../src/overlay/capture/capture.ts';
import { planRebase } from '../../../src/overlay/rebase/plan-rebase.ts';
import { runStage } from '../../../src/stages/run.ts';
import { silent } from '../../../src/system/events.ts';
import { Root } from '../../../src/system/root.ts';
import { installPrograms } from '../stages/small-root.ts';

const directory = mkdtempSync(join(tmpdir(), 'holdfast-capture-'));
const at = (...path: string[]) => join(directory, ...path);

beforeAll(() => {
  for (const path of ['etc/app', 'opt', 'var/lib']) mkdirSync(at('base', path), { recursive: true });
  installPrograms(at('base'), ['sh', 'ln', 'rm', 'chmod', 'chown', 'setfattr']);
  writeFileSync(at('base/etc/passwd'), 'root:x:0:0::/root:/bin/sh\nbob:x:1000:1000::/:/bin/sh\n');
  writeFileSync(at('base/etc/group'), 'root:x:0:\nstaff:x:50:\n');
  for (const name of ['changed', 'removed', 'mode']) writeFileSync(at('base/etc/app', name), `${name}\n`);
  execFileSync('cp', ['--archive', '--link', at('base'), at('view')]);
  execFileSync('cp', ['--archive', at('base'), at('fresh')]);
  const view = (...path: string[]) => at('view', ...path);
  const replace = (path: string, content: string | Uint8Array) => {
    rmSync(view(path), { force: true });
    writeFileSync(view(path), content);
  };
  replace('etc/app/changed', 'mine, with a {{ .Template }} in it\n');
  rmSync(view('etc/app/removed'));
  replace('etc/app/mode', 'mode\n');
  chmodSync(view('etc/app/mode'), 0o4750);
  mkdirSync(view('opt/a dir'), { mode: 0o750 });
  chownSync(view('opt/a dir'), 1000, 50);
  replace("opt/a dir/it's $HOME", 'no line break');
  chownSync(view("opt/a dir/it's $HOME"), 1000, 0);
  replace('opt/a dir/binary', Buffer.from([0, 1, 255, 0x7b, 0x7b]));
  replace('opt/a dir/control', 'a\x1b[0m {{ b }}\r\n');
  replace('opt/large', 'x'.repeat(200));
  symlinkSync('/nowhere {{', view('opt/link'));
  lchownSync(view('opt/link'), 0, 0);
  replace('etc/passwd', `${readFileSync(at('base/etc/passwd'), 'utf8')}eve:x:1001:1001::/:/bin/sh\n`);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function capture(): Promise<Capture> {
  const plan = await planRebase({ oldBase: at('base'), oldView: at('view'), newBase: at('base') });
  return captureChanges({
    stage: 'after-upgrade-chroot',
    decisions: plan.decisions,
    packages: undefined,
    read: (path) => {
      const content = readFileSync(at('view', path));
      return content.length <= 100 ? content : undefined;
    },
    owners: { users: new Map([[1000, 'bob']]), groups: new Map([[50, 'staff']]) },
  });
}

/** Every path with its type, mode, owner, and target or digest. */
function listing(tree: string): string[] {
  const format = '%P %y %m %u:%g %l\\n';
  const paths = execFileSync('find', [at(tree), '-mindepth', '1', '-printf', format], { encoding: 'utf8' });
  const sums = execFileSync('sh', ['-c', 'cd "$0" && find . -type f -exec md5sum {} +', at(tree)], {
    encoding: 'utf8',
  });
  return `${paths}${sums}`.trim().split('\n').sort();
}

it('does to another tree what was done to this one, but for what it says it leaves out', async () => {
  const { config, comment, leftOut, counts } = await capture();
  expect(leftOut).toEqual([
    '/etc/passwd: accounts: write them as "users" yourself',
    '/opt/large: 200 bytes are too many for a stage file',
  ]);
  expect(counts).toEqual({ packages: 0, directories: 1, files: 4, commands: 5 });
  const text = writeStageFile(config, comment);
  expect(text).toContain('#   /opt/large: 200 bytes are too many for a stage file');
  const result = await runStage({
    stage: 'after-upgrade-chroot',
    root: new Root(at('fresh')),
    sources: [],
    documents: [{ name: 'captured.yaml', text }],
    events: silent,
  });
  expect(result.problems).toEqual([]);
  expect(result.steps.flatMap(({ keys }) => keys.map(({ key, error }) => error ?? key))).toEqual(
    result.steps.flatMap(({ keys }) => keys.map(({ key }) => key)),
  );
  for (const path of ['opt/large', 'etc/passwd']) rmSync(at('view', path));
  rmSync(at('fresh/etc/passwd'));
  expect(listing('fresh')).toEqual(listing('view'));
});
