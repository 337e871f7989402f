// Trees as tar archives, the way layers need them: the same tree gives the same bytes, and everything that a root file
// system can carry (owners, modes, extended attributes, device nodes) comes along.

import { runChecked } from '../../src/system/process.ts';

export interface TarOptions {
  /** Seconds since 1970; later modification times are set to it, so that the time of building doesn't get in. */
  newestTime: number;
  signal?: AbortSignal | undefined;
}

const KEEP_ALL = ['--numeric-owner', '--xattrs', '--xattrs-include=*'] as const;

/** Unpacks a whole root file system as root. */
export async function unpackTree(tar: string, directory: string, signal?: AbortSignal): Promise<void> {
  await runChecked(['tar', '--extract', '--file', tar, '--directory', directory, ...KEEP_ALL], { signal });
}

/** Packs everything below a directory. */
export async function packTree(directory: string, tar: string, { newestTime, signal }: TarOptions): Promise<void> {
  await runChecked(
    [
      ...(['tar', '--create', '--file', tar, '--directory', directory] as const),
      ...['--sort=name', '--format=posix', '--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime'],
      ...['--clamp-mtime', `--mtime=@${newestTime}`, ...KEEP_ALL],
      '.',
    ],
    { signal },
  );
}
