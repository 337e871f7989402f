// The generator of the initramfs, run with command lines of all kinds: which units it asks for, and that nothing on a command
// line can become a unit or a part of one.

import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type InitramfsHost, initramfsHost } from './initramfs-shell.ts';

const GENERATOR = join(import.meta.dirname, '../../../os/usr/lib/dracut/modules.d/99holdfast/holdfast-generator.sh');

let host: InitramfsHost;
beforeAll(() => {
  host = initramfsHost();
});
afterAll(() => host.remove());

/** The early directory after the generator has run: path → text, or `-> target` of a link. */
function generate(commandLine: string, shell = 'dash'): Record<string, string> {
  const early = mkdtempSync(join(tmpdir(), 'holdfast-generator-'));
  try {
    const file = join(host.directory, 'cmdline');
    writeFileSync(file, commandLine);
    const env = { ...process.env, HOLDFAST_CMDLINE: file, HOLDFAST_LIBRARY: join(host.directory, 'library') };
    const result = spawnSync(shell, [GENERATOR, '/nowhere', early, '/nowhere'], { env, encoding: 'utf8' });
    expect([result.status, result.stderr]).toEqual([0, '']);
    const found: Record<string, string> = {};
    for (const entry of readdirSync(early, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isSymbolicLink()) found[relative(early, path)] = `-> ${readlinkSync(path)}`;
      else if (entry.isFile()) found[relative(early, path)] = readFileSync(path, 'utf8');
    }
    return found;
  } finally {
    rmSync(early, { recursive: true });
  }
}

const STATE_MOUNT = 'run-initramfs-cos\\x2dstate.mount';
const SLOT = 'root=LABEL=COS_STATE cos-img/filename=/cOS/active.img';
const SLOT_UNITS = [
  'dev-disk-by\\x2dlabel-COS_STATE.device.d/timeout.conf',
  'initrd-root-device.target.d/50-root-device.conf',
  'initrd-root-fs.target.requires/sysroot.mount',
  STATE_MOUNT,
  'sysroot.mount',
];
const OEM_UNITS = ['cos-setup-rootfs.service.wants/oem.mount', 'oem.mount'];
const LIVE_UNITS = ['initrd-root-fs.target.wants/holdfast-live.service'];
const DIGEST_UNITS = ['initrd-root-fs.target.requires/holdfast-rootdigest.service'];
const DISABLED_UNITS = ['cos-immutable-rootfs.service.d/50-disabled.conf', ...LIVE_UNITS];
const TIMEOUT_UNITS = ['pre-rootfs', 'rootfs', 'initramfs'].map((s) => `cos-setup-${s}.service.d/50-timeout.conf`);

describe('which units there are', () => {
  test.each<[string, string[]]>([
    [SLOT, SLOT_UNITS],
    [`${SLOT} rd.cos.oemlabel=COS_OEM`, [...SLOT_UNITS, ...OEM_UNITS]],
    [`${SLOT} rd.immucore.oemlabel=COS_OEM`, [...SLOT_UNITS, ...OEM_UNITS]],
    [`${SLOT} elemental.oemlabel=COS_OEM`, [...SLOT_UNITS, ...OEM_UNITS]],
    [`${SLOT} holdfast.oem=1234-ABCD`, [...SLOT_UNITS, ...OEM_UNITS]],
    ['root=LABEL=COS_STATE elemental.image=/x', SLOT_UNITS],
    // Without an image file on the command line the module keeps out.
    ['root=LABEL=COS_STATE rd.cos.oemlabel=COS_OEM', []],
    ['root=/dev/nfs rd.cos.oemlabel=COS_OEM', []],
    ['cos-img/filename=/cOS/active.img', []],
    ['root=nfs:server:/x cos-img/filename=/cOS/active.img', []],
    ['root=live:LABEL=X rd.live.squashimg=x', LIVE_UNITS],
    ['root=live:CDLABEL=X rd.cos.oemlabel=COS_OEM', [...LIVE_UNITS, ...OEM_UNITS]],
    ['root=CDLABEL=X', LIVE_UNITS],
    ['root=live:/x.img rd.cos.disable rd.holdfast.rootdigest=sha256:0', [...DISABLED_UNITS, ...DIGEST_UNITS]],
    // An installed system's root is no file that came with the kernel.
    [`${SLOT} rd.holdfast.rootdigest=sha256:0`, SLOT_UNITS],
    [`${SLOT} rd.cos.disable`, DISABLED_UNITS],
    [`${SLOT} rd.immucore.disable rd.cos.oemlabel=COS_OEM`, DISABLED_UNITS],
    [`${SLOT} elemental.disable=yes`, DISABLED_UNITS],
    [`${SLOT} rd.cos.disable=0`, SLOT_UNITS],
    [`${SLOT} rd.cos.disable rd.cos.disable=no`, SLOT_UNITS],
    [`${SLOT} rd.cos.stagetimeout=5`, [...SLOT_UNITS, ...TIMEOUT_UNITS]],
  ])('%s', (commandLine, expected) => {
    for (const shell of ['dash', 'bash']) {
      expect(Object.keys(generate(commandLine, shell)).sort()).toEqual([...expected].sort());
    }
  });
});

describe('what they say', () => {
  test.each([
    ['', 'ro'],
    ['rd.cos.debugrw', 'rw'],
    ['rd.immucore.debugrw=1', 'rw'],
    ['elemental.debugrw', 'rw'],
    ['rd.cos.debugrw=0', 'ro'],
  ])('%s mounts partition and image %s', (word, permission) => {
    const units = generate(`${SLOT} ${word}`);
    expect(units[STATE_MOUNT]).toContain(`\nOptions=${permission}\n`);
    expect(units['sysroot.mount']).toContain(`\nOptions=${permission},loop\n`);
  });

  test.each<[string, string]>([
    ['rd.live.overlay=/dev/sdb:/p', 'overlay'],
    ['overlay=/dev/sdb:/p', 'overlay'],
    ['rd.live.overlay=/dev/sdb:/p rd.cos.debugrw', 'overlay'],
    ['rd.live.overlay', 'overlay'],
    ['rd.live.overlay=/dev/sdb:/p rd.cos.rootoverlay=0', 'slot'],
    ['rd.live.overlay=/dev/sdb:/p rd.cos.rootoverlay=0 rd.cos.rootoverlay=1', 'overlay'],
    ['rd.live.overlay=/dev/sdb:/p cos-img/filename=/cOS/recovery.img', 'slot'],
    ['rd.cos.overlay=tmpfs:20%', 'slot'],
    ['rd.live.overlay.size=512', 'slot'],
  ])('%s takes the root from holdfast-%s', (words, unit) => {
    const units = generate(`${SLOT} ${words}`);
    const [what, options] = unit === 'overlay' ? ['root', 'ro'] : ['slot.img', 'ro,loop'];
    for (const line of [
      `Wants=holdfast-${unit}.service`,
      `After=holdfast-${unit}.service`,
      `What=/run/holdfast/${what}`,
      `Options=${options}`,
    ]) {
      expect(units['sysroot.mount']?.split('\n')).toContain(line);
    }
  });

  test.each([
    ['', 90],
    ['rd.timeout=7', 7],
    ['rd.timeout=0', 90],
    ['rd.timeout=1801', 90],
    ['rd.timeout=-1', 90],
    ['rd.timeout=$(reboot)', 90],
    ['holdfast.state=1234', 10],
  ])('%s waits %d s for what root= names', (word, seconds) => {
    const [name = ''] = SLOT_UNITS;
    expect(generate(`${SLOT} ${word}`)[name]).toContain(`JobRunningTimeoutSec=${seconds}\n`);
  });

  test('a label in quotes, with a blank and a slash', () => {
    const unit = 'dev-disk-by\\x2dlabel-MY\\x5cx20STATE\\x5cx2f1.device.d/timeout.conf';
    for (const words of ['root="LABEL=MY STATE/1"', '"root=LABEL=MY STATE/1"', 'root=LABEL="MY STATE"/1']) {
      expect(Object.keys(generate(`a ${words} cos-img/filename=/x b`))).toContain(unit);
    }
  });
});

/** Every path that the generator may write; the device's name is escaped by systemd-escape. */
const KNOWN = [
  ...[...SLOT_UNITS.slice(1), ...OEM_UNITS, ...DISABLED_UNITS, ...TIMEOUT_UNITS].map((path) =>
    RegExp(`^${literal(path)}$`),
  ),
  /^[A-Za-z0-9:_.\\-]+\.device\.d\/timeout\.conf$/,
];
function literal(text: string): string {
  return text.replace(/[\\.[\]{}()*+?^$|/-]/g, '\\$&');
}

describe('nothing on the command line becomes a unit or a line of one', () => {
  const hostile = [
    'root=LABEL=../../../../etc/x',
    'root=/dev/../../etc/x',
    'root=LABEL=%n%i',
    'root="LABEL=a\\nExecStart=/bin/evil"',
    'root=LABEL=$(touch /tmp/evil)',
    'root=LABEL=`x`;x',
    'root=LABEL=*',
    'cos-img/filename=/x%n',
    'cos-img/filename=/../../etc/shadow',
    'cos-img/filename="/x\tOptions=suid"',
    'rd.cos.oemlabel=../../x',
    'rd.cos.oemlabel=%s',
    'rd.cos.oemtimeout=99999999999999999999',
    'rd.timeout="5 JobTimeoutSec=0"',
    'rd.cos.stagetimeout=5%h',
    'holdfast.oem=../../../x',
    'holdfast.state=$(x)',
    'rd.live.overlay="/dev/sdb:/x What=/etc"',
    'overlay=%n',
    '"',
    '=',
    'root=',
  ];
  test('whatever is combined', () => {
    const word = fc.oneof(
      fc.constantFrom(...hostile, 'root=LABEL=COS_STATE', 'cos-img/filename=/cOS/active.img', 'root=live:LABEL=X'),
      fc
        .tuple(
          fc.constantFrom('root=', 'root=LABEL=', 'cos-img/filename=', 'rd.cos.oemlabel=', 'holdfast.state='),
          fc.string(),
        )
        .map(([key, value]) => key + value.replace(/\0/g, '')),
    );
    const harmless = ['', 'rd.cos.debugrw', 'rd.cos.disable', 'overlay=x'].flatMap((more) =>
      Object.values(generate(`${SLOT} rd.cos.oemlabel=O rd.cos.stagetimeout=5 ${more}`)),
    );
    const lines = new Set(harmless.flatMap((text) => text.split('\n')));
    fc.assert(
      fc.property(fc.array(word, { maxLength: 6 }), (words) => {
        for (const [path, text] of Object.entries(generate(words.join(' ')))) {
          expect(KNOWN.some((pattern) => pattern.test(path)) ? '' : path).toBe('');
          const strange = text.split('\n').filter((line) => !lines.has(line));
          expect(strange.filter((line) => !/^(?:JobRunningTimeoutSec|TimeoutStartSec)=\d+$/.test(line))).toEqual([]);
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe('dracut’s hook', () => {
  const HOOK = GENERATOR.replace('holdfast-generator.sh', 'parse-holdfast.sh');
  const LIVE_HOOKS = [
    'hooks/initqueue/finished/devexists-x.sh',
    'hooks/initqueue/timeout/99-rootfallback.sh',
    'hooks/pre-udev/30-dmsquash-live-genrules.sh',
    'need-initqueue',
  ];
  /** Runs the hook as dracut does, with a generator's file; what is left, and root and rootok. */
  function hook(unit: string, files: readonly string[]) {
    const work = mkdtempSync(join(tmpdir(), 'holdfast-hook-'));
    try {
      const early = join(work, 'early');
      for (const file of [`early/${unit}`, ...files.map((name) => `dracut/${name}`)]) {
        mkdirSync(dirname(join(work, file)), { recursive: true });
        writeFileSync(join(work, file), '');
      }
      const script = `root=live:X; rootok=; hookdir='${work}/dracut/hooks'; . '${HOOK}'; echo "$root $rootok"`;
      const run = spawnSync('sh', ['-c', script], { env: { ...process.env, HOLDFAST_EARLY: early }, encoding: 'utf8' });
      expect(run.stderr).toBe('');
      const left = files.filter((name) => existsSync(join(work, 'dracut', name)));
      return { said: run.stdout.trim(), left };
    } finally {
      rmSync(work, { recursive: true });
    }
  }

  // dracut's generator for live media writes a sysroot.mount to the early directory as well.
  test('leaves a live boot alone', () => {
    expect(hook('sysroot.mount', LIVE_HOOKS)).toEqual({ said: 'live:X', left: LIVE_HOOKS });
  });
  test('takes live media out of the boot of a slot', () => {
    expect(hook(STATE_MOUNT, LIVE_HOOKS)).toEqual({ said: 'holdfast 1', left: [] });
  });
  test('leaves the queue to whoever else needs it', () => {
    const theirs = ['hooks/initqueue/settled/theirs.sh', 'need-initqueue'];
    expect(hook(STATE_MOUNT, [...theirs, 'hooks/initqueue/finished/devexists-x.sh']).left).toEqual(theirs);
  });
});
