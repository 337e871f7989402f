// What an overlay costs while it is used: writing, reading and installing packages on a snapshot with a COW file, beside
// the same on the disk's own ext4 and on an image without a snapshot, in one guest; and how long it takes to find what
// was changed. The guest is emulated where there is no KVM: what the disk was asked for travels to other machines, of
// the seconds only the ratios do.

import { join } from 'node:path';
import { cacheDirectory } from '../lab/cache.ts';
import type { Cost } from '../lab/overlay/inside/cost-experiments.ts';
import { SnapshotGuest } from '../lab/overlay/snapshot-guest.ts';
import { ensurePackageRepository } from '../lab/packages/repository.ts';
import { withWorkTree } from '../lab/work-tree.ts';
import { benchFind, type FoundChanges } from './overlay/changes.ts';
import { makeBenchDisk, PLACES, type PlaceName, preparePlace, WORK } from './overlay/disk.ts';

export interface OverlayReport {
  /** Of each place, by run. */
  costs: Record<PlaceName, Cost[][]>;
  found: FoundChanges[];
}

/** Measures; takes about a minute for each run under emulation. */
export async function benchOverlay({
  runs,
  log,
}: {
  runs: number;
  log: (line: string) => void;
}): Promise<OverlayReport> {
  const repository = await ensurePackageRepository({ log });
  return await withWorkTree(join(cacheDirectory(), 'bench'), async (directory) => {
    log('building the disk');
    const disk = join(directory, 'disk.img');
    await makeBenchDisk(directory, disk, log);
    const costs: OverlayReport['costs'] = { plain: [], loop: [], overlay: [] };
    const files = { packages: repository.directory };
    const guest = await SnapshotGuest.boot({ directory, disk, files, say: log });
    try {
      const work = { ...WORK, packages: '/run/delivery/packages' };
      for (let run = 0; run < runs; run++) {
        for (const name of PLACES) {
          const place = await preparePlace(guest, name, run);
          const measured = await guest.experiment('measure', { place, work, disk: '/dev/crash' });
          log(`run ${run + 1}, ${name}: ${measured.map(({ seconds }) => seconds.toFixed(1)).join(' ')} s`);
          costs[name].push(measured);
        }
      }
      await guest.off();
    } finally {
      await guest.cut();
    }
    return { costs, found: await benchFind({ work: directory, runs, log }) };
  });
}
