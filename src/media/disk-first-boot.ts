// The first boot of an expandable disk. GRUB shows the menu of the recovery partition for as long as the disk has no state
// partition with a menu of its own, and only that menu adds the kernel argument that lets the steps below run. So whatever
// is cut off, the next start begins again, and none comes after the one that worked. The steps are a stage file in /oem.

import type { Labels } from '../slots/names.ts';
import type { FirstBootSizes } from './disk-layout.ts';

/** elemental-toolkit 2.x's name for it. */
export const FIRST_BOOT_FILE = '00_disk_layout_setup.yaml';
/** What the menu of the recovery partition gives to the kernel. */
export const FIRST_BOOT_ARGUMENT = 'holdfast.firstboot';
/** Runs in the recovery system when the partitions are there. A first boot that was cut short may have left a system. */
export const DEPLOY_COMMAND = 'holdfast deploy --force --reboot';

/** Variables of GRUB for the recovery partition's own block. */
export const FIRST_BOOT_VARIABLES = { saved_entry: 'recovery', extra_recovery_cmdline: FIRST_BOOT_ARGUMENT } as const;

/** What elemental writes to `grubenv` on COS_OEM; GRUB takes it out when it boots. */
export const FIRST_BOOT_OEM_VARIABLES = { next_entry: 'recovery' } as const;

/**
 * The recovery partition's grub2/grub.cfg.
 * @param menu the image's own grub.cfg, which takes $root for the partition with the systems.
 */
export function firstBootMenu(menu: string, { partitions }: Pick<Labels, 'partitions'>): string {
  return `# Written by holdfast build-disk: the menu until this disk's state partition has one. After that only a BIOS comes by
# here, and goes on to that one.
regexp --set=1:boot_disk '^([^,]+)' "$root"
set state_menu=
search --no-floppy --label --hint "$boot_disk," --set=state_menu ${partitions.state}
if regexp "^$boot_disk," "$state_menu"; then
  if [ -s ($state_menu)/grub2/grub.cfg ]; then
    set root="$state_menu"
    set prefix=($root)/grub2
    configfile ($root)/grub2/grub.cfg
  fi
fi

${menu}`;
}

export interface FirstBootOptions {
  labels: Labels;
  sizes: FirstBootSizes;
  stateFilesystem: 'xfs' | 'ext4';
  /** Shell words; default {@link DEPLOY_COMMAND}. */
  deployCommand?: string | undefined;
}

/** The stage file. It removes itself when the deployed system runs. */
export function firstBootStageFile(options: FirstBootOptions): string {
  const { labels, sizes, stateFilesystem, deployCommand = DEPLOY_COMMAND } = options;
  const { recovery, state, persistent } = labels.partitions;
  const layout = (stateMib: number) => `      layout:
        device: { label: ${recovery} }
        add_partitions:
          - { fsLabel: ${state}, pLabel: state, size: ${stateMib}, filesystem: ${stateFilesystem} }
          - { fsLabel: ${persistent}, pLabel: persistent, size: 0, filesystem: ext4 }`;
  const isFirst = `grep -qw ${FIRST_BOOT_ARGUMENT} /proc/cmdline`;
  return `name: "First boot: partitions for the whole disk, then the system"
# Written by holdfast build-disk. Every step may be cut off: the next start begins again.
stages:
  rootfs.before:
    - name: "A disk with room"
      if: |
        ${isFirst} || exit 1
        node=$(readlink -f /dev/disk/by-label/${recovery})
        read -r sectors < "/sys/class/block/\${node##*/}/../size"
        [ "$sectors" -ge ${sizes.roomyDiskMib * 2048} ]
${layout(sizes.roomyStateMib)}
    # What is there already is left alone, so after the step above this one finds nothing to do.
    - name: "Any other disk"
      if: "${isFirst}"
${layout(sizes.smallStateMib)}
  network:
    - name: "Deploy the system"
      if: "${isFirst}"
      commands:
        - |
          say() {
            for console in $(cat /sys/class/tty/console/active); do
              printf '\\r\\n%s\\r\\n' "$1" > "/dev/$console" || :
            done
          }
          log=/run/holdfast-first-boot.log
          say "First boot: the system is being deployed to this disk. This machine restarts by itself."
          if (
            ${indent(deployCommand, 12)}
          ) > "$log" 2>&1; then
            cat "$log"
            exit 0
          fi
          status=$?
          cat "$log" >&2
          say "First boot: the system could NOT be deployed: $(grep -m 1 -e '^error:' "$log" || tail -n 1 "$log")"
          say "Log in to see why ($log). The next start of this machine tries again."
          mkdir -p /etc/issue.d
          echo "The system could not be deployed to this disk, see $log. The next start tries again." > /etc/issue.d/60-first-boot.issue
          exit "$status"
  boot:
    - name: "The first boot is over"
      if_files: { any: [/run/cos/active_mode, /run/cos/passive_mode] }
      commands:
        - rm -f /oem/${FIRST_BOOT_FILE}
`;
}

/** A command of several lines stays inside of its YAML block. */
function indent(text: string, columns: number): string {
  return text.trim().replaceAll('\n', `\n${' '.repeat(columns)}`);
}
