// The demo system installed on a disk image, as the stories of booted machines start from it.

import { rmSync, truncateSync, writeFileSync } from 'node:fs';
import { runChecked } from '../../src/system/process.ts';
import { ensureExecutable } from '../executable.ts';
import { thisMachine } from '../turn.ts';
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
  const images = await ensureDemoImages({ log });
  await installOn(disk, `oci-layout:${images.layout}:v1`, { cloudInit, log });
  return images;
}

/**
 * Installs an image on a sparse disk image, which is replaced when it exists, when no other test file is at work on this machine.
 * @param image a reference as `install --system` takes it.
 * @returns what the installer printed.
 * @throws HoldfastError HF-COMMAND with the installer's own words.
 */
export async function installOn(
  disk: string,
  image: string,
  { cloudInit = [], log, signal }: InstallDemoOptions & { signal?: AbortSignal },
): Promise<string> {
  const executable = await ensureExecutable(log);
  rmSync(disk, { force: true });
  writeFileSync(disk, '');
  truncateSync(disk, DISK_BYTES);
  const files = cloudInit.flatMap((file) => ['--cloud-init', file]);
  // An interrupted install unmounts and detaches first; that may take longer than the usual grace.
  const options = { onLine: log, graceMs: 60_000, signal };
  return await thisMachine.take(() => runChecked([executable, 'install', disk, '--system', image, ...files], options));
}
