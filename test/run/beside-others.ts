// Which files of test/system can run while another one is at work on this machine: they look at no partition by its label,
// leave nothing in /run/holdfast, and don't mind foreign mounts and loop devices. Whatever isn't here waits for its turn.

const BESIDE_OTHERS: readonly RegExp[] = [
  /^kubernetes\/node-annotations/,
  /^image\//,
  /^trust\//,
  /^lab\//,
  /^media\/build-iso\./,
  /^boot\/(?!initramfs-partition|mount-layout|volume-check|boot-entry)/,
  /^cli\/(?:render|grubenv|stages|boot-stages|man-pages|completion-shells)\./,
  /^lifecycle\/(?:full-disk|health-checks)\./,
  /^media\/build-(?:disk|netboot)\./,
  /^owner\//,
  /^record\/full-disk\./,
  /^overlay\/(?:base-digest|capture|changes|packages|keep-packages|rpm-packages|rebase|rebase-properties)\./,
  /^stages\/(?!layout)/,
];

/** @param file a test file's path from test/system. */
export function runsBesideOthers(file: string): boolean {
  return BESIDE_OTHERS.some((pattern) => pattern.test(file));
}
