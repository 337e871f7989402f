// Runs the initramfs' shell scripts on the host: in a mount namespace of their own, with an empty /run, a kernel command line
// of the test's, and stand-ins for what only an initramfs has.

import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../../src/system/process.ts';

const OS = join(import.meta.dirname, '../../../os');
const MODULE = join(OS, 'usr/lib/dracut/modules.d/99holdfast');
export const NOTE = join(OS, 'usr/lib/holdfast/boot-note');

/** The shells that are `sh` in an initramfs. */
export const SHELLS = ['dash', 'bash'] as const;

export interface InitramfsHost {
  directory: string;
  /**
   * Runs a script of the dracut module (`slot`), or a path.
   * @param options.before commands in the namespace before it, `after` the same afterwards; their output is in the result.
   */
  run(
    script: string,
    args: readonly string[],
    options: { commandLine: string; shell?: string; before?: string; after?: string },
  ): Promise<{ status: number | null; stdout: string; stderr: string }>;
  remove(): void;
}

/** The scripts' library, and stand-ins for systemctl, sleep and modprobe, which say what they were asked for. */
export function initramfsHost(): InitramfsHost {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-initramfs-'));
  const bin = join(directory, 'bin');
  mkdirSync(bin);
  for (const name of ['systemctl', 'sleep', 'modprobe', 'udevadm']) {
    const known = name === 'systemctl' ? `grep -Fqsx -e "$*" '${directory}/systemctl-yes'` : 'true';
    writeFileSync(join(bin, name), `#!/bin/sh\necho "${name} $*" >> '${directory}/calls'\n${known}\n`, { mode: 0o755 });
  }
  // What is printed on consoles, of which the machine has one: /dev/../…/console.
  writeFileSync(join(directory, 'consoles'), `..${join(directory, 'console')} -W- (EC p a) 4:64\n`);
  for (const name of ['kmsg', 'calls', 'console', 'systemctl-yes']) writeFileSync(join(directory, name), '');
  mkdirSync(join(directory, 'library'));
  copyFileSync(join(MODULE, 'holdfast-arguments.sh'), join(directory, 'library/arguments.sh'));
  return {
    directory,
    remove: () => rmSync(directory, { recursive: true, force: true }),
    async run(script, args, { commandLine, shell = 'dash', before = '', after = '' }) {
      writeFileSync(join(directory, 'cmdline'), `${commandLine}\n`);
      const path = script.startsWith('/') ? script : join(MODULE, `holdfast-${script}.sh`);
      const lines = [
        'set -e; mount -t tmpfs tmpfs /run',
        `mount --bind '${directory}/consoles' /proc/consoles`,
        `[ ! -e /dev/kmsg ] || mount --bind '${directory}/kmsg' /dev/kmsg`,
        before,
        `set +e; PATH='${bin}':$PATH ${shell} '${path}' "$@"; status=$?; set -e`,
        after,
        'exit $status',
      ];
      return await run(
        ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', lines.join('\n'), 'sh', ...args],
        {
          env: {
            ...process.env,
            HOLDFAST_CMDLINE: join(directory, 'cmdline'),
            HOLDFAST_LIBRARY: join(directory, 'library'),
            HOLDFAST_NOTE: NOTE,
            HOLDFAST_FSCK: join(MODULE, 'holdfast-fsck.sh'),
          },
          timeoutMs: 60_000,
        },
      );
    },
  };
}
