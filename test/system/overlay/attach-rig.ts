// A machine for `holdfast overlay attach` on the host: a mount namespace of its own with an empty /run, a slot, a disk for the
// overlay and a kernel command line. Loop devices, mounts, e2fsck and tune2fs are real; dmsetup is a stand-in, since a test
// machine need not have device-mapper: its snapshot is a copy of the base, and a blank COW gets the kernel's header.

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bunProgram } from '../../../lab/executable.ts';
import { type AttachedOverlay, parseAttachedOverlay } from '../../../src/boot/attached-overlay.ts';
import { mount, unmount } from '../../../src/system/mounts.ts';
import { run, runChecked } from '../../../src/system/process.ts';
import { findProgram } from '../../../src/system/tools.ts';

const MAIN = join(import.meta.dirname, '../../../src/main.ts');
const MODULE = join(import.meta.dirname, '../../../os/usr/lib/dracut/modules.d/99holdfast');

/** What `attach` left: its exit status, the record, the link to the root, and what was asked of dmsetup. */
export interface Attached {
  status: number | null;
  said: string;
  overlay: AttachedOverlay;
  link: string;
  tables: string[];
  /** Features of the device that became the root. */
  features: string;
  /** Mounts that are left of those that it makes, and of the rig's. */
  mounts: string[];
}

const DMSETUP = `#!/bin/sh
# Stand-in: dmsetup create [--readonly] NAME < TABLE, remove NAME, status NAME.
export PATH="$RIG/bin:/usr/sbin:/usr/bin:/sbin:/bin"
readonly='' name='' action=$1
# A node and no link, as libdevmapper makes it where it doesn't wait for udev.
node() {
    mknod "/dev/mapper/$name" b $(tr : ' ' < "/sys/class/block/\${1##*/}/dev")
    echo "$1" > "$RIG/$name.loop"
}
for word; do case $word in --readonly) readonly=' read-only' ;; --*) ;; *) name=$word ;; esac; done
origin_loop() {
    case $origin in
        /dev/mapper/*) origin=$(cat "$RIG/\${origin##*/}.loop") ;;
    esac
    basename "$origin"
}
case $action in
    create)
        read -r start sectors target origin cow mode chunk
        echo "$name: $start $sectors $target $(cat /sys/block/$(origin_loop)/loop/backing_file) $mode $chunk$readonly" >> "$RIG/tables"
        [ ! -e "$RIG/no-device-mapper" ] || { echo "device-mapper: no such target" >&2; exit 1; }
        if [ "$target" = snapshot ]; then
            dd if="$origin" of="$RIG/$name.img" bs=1M conv=sparse 2> /dev/null
            if [ -z "$readonly" ] && [ "$(head -c 4 "$cow" | tr -d '\\000')" = '' ]; then
                printf 'SnAp\\001\\000\\000\\000\\001\\000\\000\\000\\010\\000\\000\\000' | dd of="$cow" conv=notrunc 2> /dev/null
            fi
            node "$(losetup --find --show "$RIG/$name.img")"
        else
            node "$origin"
        fi
        ;;
    remove)
        echo "remove $name" >> "$RIG/tables"
        case $name in live-base) ;; *) losetup --detach "$(cat "$RIG/$name.loop")" ;; esac
        rm "/dev/mapper/$name"
        ;;
    status) echo "0 65536 snapshot \${SNAPSHOT_STATUS:-16/100 8}" ;;
esac
`;

/** The host's own, with a note of what is attached: loop devices outlive a namespace, and the host's are others' business. */
const LOSETUP = `#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
said=$(losetup "$@") || exit
case $* in
    *--show*) echo "$said" | tee -a "$RIG/loops" ;;
    --detach*) sed -i "\\|^$2$|d" "$RIG/loops" ;;
esac
`;

export class AttachRig {
  readonly directory = mkdtempSync(join(tmpdir(), 'holdfast-attach-'));
  readonly slot = join(this.directory, 'state/cOS/active.img');
  /** The disk's image, and the loop device that is the disk. */
  readonly diskFile = join(this.directory, 'disk.img');
  disk = '';
  /** More environment for the next run. */
  environment: Record<string, string> = {};

  /** Only what the dracut module installs is there, beside the stand-ins. */
  private linkPrograms(): void {
    const lines = readFileSync(join(MODULE, 'module-setup.sh'), 'utf8').replaceAll('\\\n', ' ').split('\n');
    const names = lines.flatMap((line) => /^ *inst_multiple(?: -o)? (.*)$/.exec(line)?.[1]?.trim().split(/ +/) ?? []);
    for (const name of ['sh', ...names]) {
      const found = findProgram(name);
      if (found !== undefined && !existsSync(join(this.directory, 'bin', name))) {
        symlinkSync(found, join(this.directory, 'bin', name));
      }
    }
  }

  /** A slot that can start, and a disk of 64 MiB without files. */
  static async make(label: string): Promise<AttachRig> {
    const rig = new AttachRig();
    for (const name of ['bin', 'state/cOS', 'library', 'disk'])
      mkdirSync(join(rig.directory, name), { recursive: true });
    rig.program('dmsetup', DMSETUP);
    rig.program('losetup', LOSETUP);
    rig.program('holdfast-fsck', `#!/bin/sh\nexec sh '${MODULE}/holdfast-fsck.sh' "$@"\n`);
    rig.program('modprobe', '#!/bin/sh\n');
    rig.linkPrograms();
    writeFileSync(
      join(rig.directory, 'library/arguments.sh'),
      readFileSync(join(MODULE, 'holdfast-arguments.sh'), 'utf8'),
    );
    await rig.makeSlot(['proc/', 'usr/bin/holdfast', 'sbin/init']);
    writeFileSync(rig.diskFile, '');
    truncateSync(rig.diskFile, 64 << 20);
    await runChecked(['mkfs.ext4', '-q', '-F', '-L', label, rig.diskFile]);
    rig.disk = (await runChecked(['losetup', '--find', '--show', rig.diskFile])).trim();
    return rig;
  }

  /** A program that is found before the host's. */
  program(name: string, text: string): void {
    rmSync(join(this.directory, 'bin', name), { force: true });
    writeFileSync(join(this.directory, 'bin', name), text, { mode: 0o755 });
  }

  /** Makes the slot's image anew, with executables and directories (`name/`) and no journal, as installations make it. */
  async makeSlot(names: readonly string[], uuid = '11111111-1111-4111-8111-111111111111'): Promise<void> {
    const tree = mkdtempSync(join(this.directory, 'tree-'));
    for (const name of names) {
      mkdirSync(join(tree, name, name.endsWith('/') ? '.' : '..'), { recursive: true });
      if (!name.endsWith('/')) writeFileSync(join(tree, name), '#!/bin/sh\n', { mode: 0o755 });
    }
    rmSync(this.slot, { force: true });
    writeFileSync(this.slot, '');
    truncateSync(this.slot, 32 << 20);
    await runChecked([
      'mkfs.ext4',
      '-q',
      '-F',
      '-b',
      '4096',
      '-O',
      '^has_journal',
      '-U',
      uuid,
      '-L',
      'COS_ACTIVE',
      '-d',
      tree,
      this.slot,
    ]);
  }

  /** Works on the disk's files. */
  async onDisk<T>(work: (directory: string) => Promise<T> | T): Promise<T> {
    const at = join(this.directory, 'disk');
    await mount(this.disk, at);
    try {
      return await work(at);
    } finally {
      await unmount(at);
    }
  }

  /** A file of zeros with all its blocks, as `dd` makes it. */
  async putBlank(name: string, bytes = 12 << 20): Promise<void> {
    await this.onDisk((disk) => writeFileSync(join(disk, name), Buffer.alloc(bytes)));
  }

  /** Runs it with these words on the kernel command line. */
  async attach(words: string, { before = '' } = {}): Promise<Attached> {
    const { directory } = this;
    writeFileSync(join(directory, 'cmdline'), `root=LABEL=COS_STATE cos-img/filename=/cOS/active.img ${words}\n`);
    for (const name of ['tables', 'loops', 'left']) writeFileSync(join(directory, name), '');
    const script = `
      set -e
      mount -t tmpfs tmpfs /run
      mkdir -p /run/holdfast /run/initramfs/base /run/initramfs/cos-state /dev/mapper
      mount -t tmpfs tmpfs /dev/mapper
      mount --bind '${directory}/cmdline' /proc/cmdline
      mount --bind '${directory}/state' /run/initramfs/cos-state
      ln -s /run/initramfs/cos-state/cOS/active.img /run/holdfast/slot.img
      ${before}
      set +e
      PATH='${directory}/bin' '${bunProgram()}' '${MAIN}' overlay attach
      status=$?
      exec > '${directory}/left'
      cat /run/cos/rootoverlay
      echo "=== $(readlink /run/holdfast/root)"
      view=$(readlink -f /run/holdfast/root)
      [ ! -b "$view" ] || dumpe2fs -h "$view" 2> /dev/null | grep -iE '^filesystem features|^errors'
      echo ===
      while read -r _ at _; do case $at in /run/initramfs/* | /run/oem | /run/holdfast/[vo]*) echo "$at" ;; esac; done < /proc/self/mounts
      for loop in $(cat '${directory}/loops'); do losetup --detach "$loop"; done
      umount /run/initramfs/overlay 2> /dev/null
      exit $status`;
    // What others unmount meanwhile must not stay in use here.
    const result = await run(['unshare', '--mount', '--propagation', 'slave', 'sh', '-c', script], {
      env: {
        ...process.env,
        RIG: directory,
        HOLDFAST_LIBRARY: join(directory, 'library'),
        HOLDFAST_CMDLINE: join(directory, 'cmdline'),
        ...this.environment,
      },
      timeoutMs: 60_000,
    });
    const [record = '', root = '', mounts = ''] = readFileSync(join(directory, 'left'), 'utf8').split(/^===/m);
    const [link = '', ...features] = root.trim().split('\n');
    return {
      status: result.status,
      said: `${result.stdout}${result.stderr}`.trim(),
      overlay: parseAttachedOverlay(record),
      link,
      features: features.join('\n'),
      tables: readFileSync(join(directory, 'tables'), 'utf8')
        .trim()
        .split('\n')
        .filter((line) => line !== ''),
      mounts: mounts.trim().split('\n'),
    };
  }

  async remove(): Promise<void> {
    if (this.disk !== '') await run(['losetup', '--detach', this.disk]);
    rmSync(this.directory, { recursive: true, force: true });
  }
}
