// The disks of the stories about overlays and upgrades: the demo system installed, a second disk with a file for its changes
// and the kernel argument that names it, and a third one that brings versions 2 and 3.

import { mkdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory } from '../../lab/cache.ts';
import { DEMO_KERNEL_ARGUMENTS, version1Files } from '../../lab/demo/content.ts';
import { makeDelivery } from '../../lab/demo/delivery.ts';
import { type DemoImages, deriveImage } from '../../lab/demo/images.ts';
import { installDemo } from '../../lab/demo/installed.ts';
import { ensureExecutable } from '../../lab/executable.ts';
import type { Disk } from '../../lab/machine/command-line.ts';
import { withWorkTree } from '../../lab/work-tree.ts';
import { createBlankCow } from '../../src/overlay/cow-create.ts';
import { fullCoverBytes } from '../../src/overlay/sizes.ts';
import { SLOT_FILES } from '../../src/slots/names.ts';
import { mount, unmount } from '../../src/system/mounts.ts';
import { runChecked } from '../../src/system/process.ts';
import { DiskImage } from '../system/lifecycle/disk-image.ts';

type Log = (line: string) => void;

const KEEP_BYTES = 16 * 1024 ** 3;
const SET = 'LABEL=KEEP:/persist.img';

/** What {@link makeOverlayDisks} has made in a directory. */
export function disksOf(directory: string): Disk[] {
  const names = ['system', 'keep', 'delivery'];
  return names.map((serial) => ({ file: join(directory, `${serial}.img`), serial, readOnly: serial === 'delivery' }));
}

/** Makes the three disks; the first boot of the machine runs on the overlay. */
export async function makeOverlayDisks(directory: string, log: Log): Promise<void> {
  const system = DiskImage.at(join(directory, 'system.img'));
  const demo = await installDemo(system.file, { log });
  await makeNewVersions(demo, join(directory, 'delivery.img'));
  const slotBytes = await system.withMounted('COS_STATE', (state) => statSync(join(state, SLOT_FILES.active)).size);
  await makeKeepDisk(directory, fullCoverBytes(slotBytes));
  const executable = await ensureExecutable(log);
  const setArgument = async (oem: string) => {
    const line = `extra_cmdline=${DEMO_KERNEL_ARGUMENTS} rd.live.overlay=${SET}`;
    await runChecked([executable, 'grubenv', 'set', line, '--file', join(oem, 'grubenv')]);
  };
  await system.withMounted('COS_OEM', setArgument, { writable: true });
}

/** Version 2 has a line in a file that the owner edits elsewhere; version 3 has another name. */
async function makeNewVersions(demo: DemoImages, delivery: string): Promise<void> {
  const hosts = version1Files()['etc/hosts'];
  if (hosts === undefined || hosts === 'removed' || 'link' in hosts) throw new Error('the demo has no /etc/hosts');
  const second = { 'etc/hosts': { text: `# from version 2\n${hosts.text}` } };
  const names = 'PRETTY_NAME="Holdfast demo 3"\nNAME="Holdfast demo"\nID=debian\nVERSION_ID="12"\n';
  const release = `${names}IMAGE_ID=holdfast-demo\nIMAGE_VERSION="3"\n`;
  const third = { ...second, 'usr/lib/os-release': { text: release } };
  // Beside the images: what they have in common are hard links.
  await withWorkTree(join(cacheDirectory(), 'derive'), async (work) => {
    const layout = join(work, 'layout');
    await deriveImage(demo, { from: 'v2', layout, tag: 'v2', files: second });
    await deriveImage(demo, { from: 'v2', layout, tag: 'v3', files: third });
    await makeDelivery(work, delivery);
  });
}

/** The disk of the overlay, with a file that can't overflow. */
async function makeKeepDisk(directory: string, cowBytes: number): Promise<void> {
  const file = join(directory, 'keep.img');
  rmSync(file, { force: true });
  writeFileSync(file, '');
  truncateSync(file, KEEP_BYTES);
  await runChecked(['mkfs.ext4', '-q', '-L', 'KEEP', '-E', 'nodiscard', file]);
  const mounted = join(directory, 'keep');
  mkdirSync(mounted);
  await mount(file, mounted, { options: ['loop'] });
  try {
    await createBlankCow(join(mounted, 'persist.img'), cowBytes);
  } finally {
    await unmount(mounted);
  }
}
