// How long test files take on an idle machine with two processors, by their names below test/. Only their order follows from
// it, so that it need not be exact; the end of a run prints the longest.

/** Booted machines that aren't here count as long, all else as short. */
const SECONDS: Readonly<Record<string, number>> = {
  'vm/boot-variants': 480,
  'vm/overlay-upgrade': 420,
  'vm/owners-view': 600,
  'vm/plan-tells-the-truth': 450,
  'vm/package-survives-upgrade': 300,
  'vm/root-overlay': 300,
  'vm/suc-upgrade': 330,
  'vm/live-install': 320,
  'vm/live-repair': 280,
  'vm/expandable-disk': 260,
  'vm/netboot': 240,
  'vm/old-machine': 250,
  'vm/grub-menu': 240,
  'vm/boot-assessment': 215,
  'vm/boot-stages': 180,
  'vm/ten-upgrades': 175,
  'vm/stage-files': 160,
  'vm/grub-secure-boot': 130,
  'vm/overlay-kernel': 120,
  'vm/datasource-media': 80,
  'vm/grub-assessment': 50,
  'vm/overlay-encrypted': 30,
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
  'system/lifecycle/troubles': 40,
  'system/lifecycle/trust': 11,
  'system/lifecycle/upgrade-recovery': 12,
  'system/media/build-iso': 60,
  'system/stages/accounts': 25,
  'system/stages/corpus': 19,
  'system/stages/datasource/services': 20,
  'system/stages/git': 7,
  'system/stages/layout': 45,
  'system/stages/layout-killed': 21,
  'system/stages/layout.property': 17,
};
const SHORT = 3;
const LONG = 600;

/** @param file a path from test/, with its ending. */
export function secondsOf(file: string): number {
  return SECONDS[file.replace(/\.test\.ts$/, '')] ?? (file.startsWith('vm/') ? LONG : SHORT);
}
