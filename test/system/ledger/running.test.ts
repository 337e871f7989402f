// A machine whose /etc forgets its changes, in a mount namespace of this host: `diff running` names what a stage of this boot
// wrote with its file and line, and what somebody did by hand. Takes some seconds.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensureExecutable } from '../../../lab/executable.ts';
import { run } from '../../../src/system/process.ts';

let executable: string;
let directory: string;

beforeAll(async () => {
  executable = await ensureExecutable(() => {});
  directory = mkdtempSync(join(tmpdir(), 'holdfast-running-'));
}, 120_000);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const STAGES = `stages:
  boot:
    - name: Greeting
      files:
        - path: /etc/holdfast-greeting
          content: hello
          permissions: 0644
        - path: /etc/holdfast-edited
          content: by the stage
          permissions: 0644
`;

/** The system as the initramfs would have left it; the program first, since nothing of the host is written to. */
const SETUP = `set -e
mount -t tmpfs none "$1"
cp "$2" "$1/holdfast"
mkdir "$1/upper" "$1/work" "$1/oem"
cp "$3" "$1/oem/10_own.yaml"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$1/upper,workdir=$1/work" /etc
mount -t tmpfs none /run
mkdir -p /run/systemd/system
"$1/holdfast" run-stage boot --quiet --cloud-init-paths "$1/oem" > "$1/stage.log" 2>&1 || cat "$1/stage.log"
printf 'by hand\\n' > /etc/holdfast-by-hand
chmod 0600 /etc/holdfast-by-hand
# As if that had been much later.
printf 'edited\\n' > /etc/holdfast-edited
sed -i '/holdfast-edited/s/"at":"[^"]*"/"at":"2020-01-01T00:00:00.000Z"/' /run/holdfast/stages/boot.changes
rm -f /etc/debian_version
"$1/holdfast" diff running --content --below "$4"
`;

async function diffBelow(path: string): Promise<string> {
  const stages = join(directory, 'stages.yaml');
  writeFileSync(stages, STAGES);
  const at = mkdtempSync(join(directory, 'run-'));
  const argv = ['unshare', '--mount', 'sh', '-c', SETUP, 'sh', at, executable, stages, path] as const;
  const { status, stdout, stderr } = await run(argv, { timeoutMs: 60_000 });
  expect([status, stderr]).toEqual([0, '']);
  return stdout.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME').replaceAll(at, 'DIR');
}

test('a file that a stage of this boot wrote has its step', async () => {
  expect(
    await diffBelow('/etc/holdfast-greeting'),
  ).toBe(`The running system against its slot; a reboot takes back what is in /etc

DIR/oem/10_own.yaml:3 "Greeting"  (boot, TIME)
  + /etc/holdfast-greeting
      @@ -0,0 +1 @@
      +hello (no line break at the end)

1 path differs: 1 added, 0 changed, 0 removed; 0 unexplained.
`);
});

test('what was done by hand is shown as that, and what not everybody may read is not shown', async () => {
  const text = await diffBelow('/etc');
  expect(text).toContain(`
by hand, or by a program
  - /etc/debian_version
      @@ -1 +0,0 @@
`);
  expect(text).toContain('  + /etc/holdfast-by-hand\n      not shown: not everybody may read it\n');
  expect(text).toContain(
    '  + /etc/holdfast-edited  (again since its stage, before that DIR/oem/10_own.yaml:3 "Greeting")\n',
  );
  expect(text).toContain('"Greeting"  (boot, TIME)\n  + /etc/holdfast-greeting\n');
});
