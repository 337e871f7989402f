// systemd's own tools in the root of a system that doesn't run, as a hook of an upgrade has it: links are made, nothing
// is started, first settings are written. Takes about five seconds.

import { mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runStage, type StageResult } from '../../../src/stages/run.ts';
import { silent } from '../../../src/system/events.ts';
import { mount, unmount } from '../../../src/system/mounts.ts';
import { Root } from '../../../src/system/root.ts';
import { installPrograms } from './small-root.ts';

let tree: string;

beforeEach(async () => {
  tree = mkdtempSync(join(tmpdir(), 'holdfast-systemd-'));
  installPrograms(tree, ['sh', 'systemctl', 'systemd-firstboot']);
  put('usr/lib/systemd/system/multi-user.target', '[Unit]\nDescription=All\n');
  put('usr/lib/systemd/system/timers.target', '[Unit]\nDescription=Timers\n');
  put(
    'usr/lib/systemd/system/foo.service',
    '[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\nAlias=bar.service\n',
  );
  put('usr/lib/systemd/system/foo.timer', '[Timer]\nOnBootSec=5\n[Install]\nWantedBy=timers.target\n');
  put(
    'usr/lib/systemd/system/agent@.service',
    '[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n',
  );
  put('usr/share/zoneinfo/Europe/Berlin', readFileSync('/usr/share/zoneinfo/Europe/Berlin'));
  mkdirSync(join(tree, 'proc'));
  await mount('proc', join(tree, 'proc'), { type: 'proc' });
});

afterEach(async () => {
  await unmount(join(tree, 'proc'));
  rmSync(tree, { recursive: true, force: true });
});

function put(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(join(tree, path)), { recursive: true });
  writeFileSync(join(tree, path), content);
}

function run(steps: string): Promise<StageResult> {
  const text = `stages:\n  s:\n${steps.replace(/^/gm, '    ')}\n`;
  const documents = [{ name: 'test.yaml', text }];
  return runStage({ stage: 's', root: new Root(tree), sources: [], documents, events: silent });
}

const link = (path: string) => readlinkSync(join(tree, path));

describe('systemctl', () => {
  const units = '/etc/systemd/system';
  it('enables, masks and disables by links, writes drop-ins, and starts nothing', async () => {
    const result = await run(`- systemctl:
    enable: [foo, foo.timer, agent@one]
    mask: [getty@tty2.service]
    start: [foo]
    overrides: [{service: foo.timer, content: "[Timer]\\nOnBootSec=9\\n"}]`);
    expect(result.steps[0]?.keys).toEqual([{ key: 'systemctl', outcome: 'ok' }]);
    expect(result.problems.map(({ message }) => message)).toEqual([
      'systemctl: foo is not started: the system in this root does not run',
    ]);
    expect(link(`${units}/multi-user.target.wants/foo.service`)).toMatch(/\/lib\/systemd\/system\/foo\.service$/);
    expect(link(`${units}/bar.service`)).toMatch(/\/lib\/systemd\/system\/foo\.service$/);
    expect(link(`${units}/timers.target.wants/foo.timer`)).toMatch(/\/lib\/systemd\/system\/foo\.timer$/);
    expect(link(`${units}/multi-user.target.wants/agent@one.service`)).toMatch(/\/agent@\.service$/);
    expect(link(`${units}/getty@tty2.service`)).toBe('/dev/null');
    expect(new Root(tree).readText(`${units}/foo.timer.d/override-yip.conf`)).toBe('[Timer]\nOnBootSec=9\n');
    expect(result.steps[0]?.changedFiles).toEqual(
      expect.arrayContaining([`${units}/foo.timer.d`, `${units}/bar.service`, `${units}/getty@tty2.service`]),
    );

    const again = await run('- systemctl: {enable: [foo, foo.timer, agent@one], mask: [getty@tty2.service]}');
    expect([again.outcome, again.steps[0]?.changedFiles]).toEqual(['ok', []]);

    const off = await run('- systemctl: {disable: [foo.timer]}');
    expect(off.steps[0]?.changedFiles).toEqual([`${units}/timers.target.wants/foo.timer`]);
    expect(new Root(tree).list(`${units}/timers.target.wants`)).toEqual([]);
  });

  it('a unit that is not there fails alone', async () => {
    const result = await run('- systemctl: {enable: [nope, foo]}');
    expect(result.steps[0]?.keys[0]?.error).toBe('systemctl enable nope failed with status 1');
    expect(link(`${units}/bar.service`)).toContain('foo.service');
  });
});

describe('systemd_firstboot', () => {
  it('the tool of the system writes what is given, and with force over what is there', async () => {
    const first = await run('- systemd_firstboot: {keymap: us, timezone: Europe/Berlin}');
    expect(first.steps[0]?.keys).toEqual([{ key: 'systemd_firstboot', outcome: 'ok' }]);
    expect(first.steps[0]?.changedFiles).toEqual(['/etc/vconsole.conf', '/etc/localtime']);
    expect(link('/etc/localtime')).toBe('../usr/share/zoneinfo/Europe/Berlin');
    expect((await run('- systemd_firstboot: {keymap: de}')).steps[0]?.changedFiles).toEqual([]);
    expect((await run('- systemd_firstboot: {keymap: de, force: true}')).steps[0]?.changedFiles).toEqual([
      '/etc/vconsole.conf',
    ]);
    expect((await run('- systemd_firstboot: {keymap: de, force: true}')).steps[0]?.changedFiles).toEqual([]);
    expect(new Root(tree).readText('/etc/vconsole.conf')).toBe('KEYMAP=de\n');
  });

  it('a setting that the tool refuses does not keep the others from being made', async () => {
    const result = await run('- systemd_firstboot: {keymap: de, timezone: No/Where, force: true}');
    expect(result.steps[0]?.keys[0]?.error).toBe('systemd-firstboot --force --timezone=No/Where failed with status 1');
    expect(result.steps[0]?.keys[0]?.outputTail).toContain('Timezone No/Where is not valid');
    expect(result.steps[0]?.changedFiles).toEqual(['/etc/vconsole.conf']);
  });

  it('a value with blanks arrives as it is, and a password is in no message', async () => {
    const result = await run('- systemd_firstboot: {keymap: "a b", root-password: "sec ret", timezone: No/Where}');
    expect(new Root(tree).readText('/etc/vconsole.conf')).toBe('KEYMAP="a b"\n');
    expect(new Root(tree).readText('/etc/shadow')).toMatch(/^root:\$/);
    expect(JSON.stringify(result)).not.toContain('sec ret');
  });
});
