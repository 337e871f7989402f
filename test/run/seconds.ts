// How long test files take on a machine with two processors that does nothing else, by their names below test/. Only
// their order follows from it, so that it need not be exact; the end of a run prints the longest.

/** Booted machines that aren't here count as long, all else as short. */
const SECONDS: Readonly<Record<string, number>> = {
  'vm/overlay-upgrade': 800,
  'vm/owners-view': 800,
  'vm/suc-upgrade': 780,
  'vm/boot-variants': 600,
  'vm/live-medium': 380,
  'vm/plan-tells-the-truth': 360,
  'vm/root-overlay': 330,
  'vm/expandable-disk': 280,
  'vm/netboot': 270,
  'vm/old-machine': 260,
  'vm/grub-menu': 240,
  'vm/boot-stages': 240,
  'vm/overlay-kernel': 160,
  'vm/datasource-media': 90,
  'vm/grub-secure-boot': 80,
  'vm/grub-assessment': 60,
  'vm/overlay-encrypted': 40,
  'system/boot/initramfs-partition': 9,
  'system/boot/openrc': 16,
  'system/cli/compat': 15,
  'system/image/hostile-registry': 8,
  'system/image/pull': 9,
  'system/image/room': 6,
  'system/image/unpack-equals-umoci': 9,
  'system/lab/machine': 37,
  'system/lifecycle/boot-and-state': 9,
  'system/lifecycle/delta': 27,
  'system/lifecycle/from-slots': 14,
  'system/lifecycle/install-and-upgrade': 12,
  'system/lifecycle/install-options': 29,
  'system/lifecycle/interruption': 12,
  'system/lifecycle/lessons': 15,
  'system/lifecycle/old-machines': 10,
  'system/lifecycle/older-versions': 12,
  'system/lifecycle/power-cut': 27,
  'system/lifecycle/registry': 11,
  'system/lifecycle/reset': 15,
  'system/lifecycle/rollback': 7,
  'system/lifecycle/ten-upgrades': 40,
  'system/lifecycle/troubles': 40,
  'system/lifecycle/trust': 11,
  'system/lifecycle/upgrade-recovery': 12,
  'system/media/build-iso': 60,
  'system/lifecycle/overlay': 26,
  'system/lifecycle/planned-upgrade': 36,
  'system/media/build-disk': 45,
  'system/media/build-netboot': 8,
  'system/owner/package-store': 25,
  'system/stages/accounts': 25,
  'system/stages/corpus': 19,
  'system/stages/datasource/services': 20,
  'system/stages/git': 7,
  'system/stages/layout': 45,
  'system/stages/layout-killed': 21,
  'system/stages/layout.property': 17,
};
const SHORT = 3;
const LONG = 900;

/** @param file a path from test/, with its ending. */
export function secondsOf(file: string): number {
  return SECONDS[file.replace(/\.test\.ts$/, '')] ?? (file.startsWith('vm/') ? LONG : SHORT);
}
