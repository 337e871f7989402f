// The demo system installed on a disk image, as the stories of booted machines start from it.

import { rmSync, truncateSync, writeFileSync } from 'node:fs';
import { runChecked } from '../../src/system/process.ts';
import { ensureExecutable } from '../executable.ts';
import { type DemoImages, ensureDemoImages } from './images.ts';

const DISK_BYTES = 12 * 1024 ** 3;

export interface InstallDemoOptions {
  /** Stage files that are copied to /oem. */
  cloudInit?: readonly string[];
  log: (line: string) => void;
}

/**
 * Installs version 1 on a sparse disk image, which is replaced when it exists.
 * @throws HoldfastError as `ensureDemoImages`, HF-COMMAND with the installer's own words.
 */
export async function installDemo(disk: string, { cloudInit = [], log }: InstallDemoOptions): Promise<DemoImages> {
  const executable = await ensureExecutable(log);
  const images = await ensureDemoImages({ log });
  rmSync(disk, { force: true });
  writeFileSync(disk, '');
  truncateSync(disk, DISK_BYTES);
  const files = cloudInit.flatMap((file) => ['--cloud-init', file]);
  await runChecked([executable, 'install', disk, '--system', `oci-layout:${images.layout}:v1`, ...files], {
    onLine: log,
  });
  return images;
}
