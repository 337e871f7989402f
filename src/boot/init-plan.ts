// Plans what `holdfast init` does to a root file system. Pure: what is there is handed in; what is right already gets no
// action, so a second run has nothing to do and says so.

import type { Action, Plan } from '../system/plan.ts';
import type { InitRecord } from './init-record.ts';
import type { Kernel } from './init-requirements.ts';
import type { OsFile } from './os-files.generated.ts';

export type InitAction =
  | (Action<'remove'> & { path: string })
  | (Action<'make-directory'> & { path: string; mode: number })
  | (Action<'write-file'> & { path: string; mode: number; text: string })
  | (Action<'link'> & { path: string; target: string })
  | (Action<'copy-executable'> & { source: string })
  | (Action<'build-grub'> & { fingerprint: string })
  | (Action<'build-initrd'> & { kernel: Kernel; path: string; fingerprint: string })
  | (Action<'write-documents'> & { documents: Readonly<Record<string, string>> })
  | (Action<'record-files'> & { digests: Readonly<Record<string, string>> });

export interface InitPlan extends Plan<InitAction> {
  notices: readonly string[];
}

/** What is at a path: a file with its content's digest, a link, something else, or nothing. */
export type FoundPath =
  | { type: 'file'; digest: string; mode: number; empty: boolean }
  | { type: 'link'; target: string }
  | { type: 'directory' }
  | { type: 'none' };

export interface InitFound {
  kernel: Kernel;
  /** An initramfs is wanted and what builds it is there. */
  canBuildInitrd: boolean;
  /** By path; a path that isn't in here was not looked at. */
  paths: ReadonlyMap<string, FoundPath>;
  record: InitRecord;
  /** Of what GRUB's program and the initramfs would be built from now. */
  grubFingerprint: string;
  initrdFingerprint: string;
  /** What is left out of GRUB, and why. */
  grubNotice: string | undefined;
  initrdPath: string;
  /** Whether the files to be built are there. */
  hasGrub: boolean;
  hasInitrd: boolean;
  /** Private keys and seeds that must not be the same on every machine. */
  secrets: readonly string[];
  /** A file that replaces or becomes /usr/bin/holdfast. */
  executable: string | undefined;
  /** Units that make no sense on a read-only root and are there. */
  uselessUnits: readonly string[];
}

/** Directories that must exist in the image, since nothing can be made on a read-only root. */
export const DIRECTORIES: Readonly<Record<string, number>> = {
  '/boot': 0o755,
  '/dev': 0o755,
  '/etc': 0o755,
  '/home': 0o755,
  '/mnt': 0o755,
  '/oem': 0o755,
  '/opt': 0o755,
  '/proc': 0o555,
  '/root': 0o700,
  '/run': 0o755,
  '/srv': 0o755,
  '/sys': 0o555,
  '/system/oem': 0o755,
  '/tmp': 0o1777,
  '/usr/local': 0o755,
  '/var': 0o755,
};

export const EXECUTABLE = '/usr/bin/holdfast';

/** Files of ours that an owner may have changed on purpose; those below /usr are not. */
function isConfiguration(path: string): boolean {
  return path.startsWith('/etc/') || path.startsWith('/system/');
}

/**
 * @param files what is to be installed, by path.
 * @param digestOf the digest of a text, as in {@link FoundPath}.
 */
export function planInit(
  files: Readonly<Record<string, OsFile>>,
  found: InitFound,
  options: {
    initrd: boolean;
    digestOf: (text: string) => string;
    /** Texts that only people and shells read: manual pages, completion scripts. */
    documents?: Readonly<Record<string, string>>;
  },
): InitPlan {
  const notices: string[] = found.grubNotice === undefined ? [] : [found.grubNotice];
  const actions: InitAction[] = [];
  const at = (path: string): FoundPath => found.paths.get(path) ?? { type: 'none' };

  for (const path of found.secrets) {
    actions.push({ kind: 'remove', summary: `Remove ${path}, which must differ on every machine`, path });
  }
  for (const [path, mode] of Object.entries(DIRECTORIES)) {
    if (at(path).type === 'none') actions.push({ kind: 'make-directory', summary: `Make ${path}`, path, mode });
  }

  const digests: Record<string, string> = {};
  for (const [path, file] of Object.entries(files)) {
    const old = at(path);
    if ('link' in file) {
      if (old.type === 'link' && old.target === file.link) continue;
      actions.push({ kind: 'link', summary: `Link ${path} to ${file.link}`, path, target: file.link });
      continue;
    }
    const digest = options.digestOf(file.text);
    const recorded = found.record.files[path];
    if (old.type === 'file' && old.digest !== digest && old.digest !== recorded && isConfiguration(path)) {
      notices.push(`${path} is the image's own and was kept`);
      continue;
    }
    digests[path] = digest;
    if (old.type === 'file' && old.digest === digest && old.mode === file.mode) continue;
    actions.push({ kind: 'write-file', summary: `Write ${path}`, path, mode: file.mode, text: file.text });
  }

  const { documents = {} } = options;
  const stale = Object.entries(documents).filter(([path, text]) => {
    const old = at(path);
    return old.type !== 'file' || old.digest !== options.digestOf(text);
  });
  if (stale.length > 0) {
    const summary = `Write ${stale.length} manual pages and completion scripts below /usr/share`;
    actions.push({ kind: 'write-documents', summary, documents: Object.fromEntries(stale) });
  }

  const { kernel, initrdPath } = found;
  for (const [path, target] of [
    ['/boot/vmlinuz', kernel.path.startsWith('/boot/') ? kernel.path.slice('/boot/'.length) : `..${kernel.path}`],
    ['/boot/initrd', initrdPath.slice('/boot/'.length)],
  ] as const) {
    const old = at(path);
    if (old.type === 'link' && old.target === target) continue;
    actions.push({ kind: 'link', summary: `Link ${path} to ${target}`, path, target });
  }

  for (const [path, why] of [
    ['/etc/fstab', 'it is written at each boot'],
    ['/etc/machine-id', 'each machine gets one at its first boot'],
  ] as const) {
    const old = at(path);
    if (old.type === 'file' && old.empty) continue;
    actions.push({ kind: 'write-file', summary: `Empty ${path}: ${why}`, path, mode: 0o644, text: '' });
  }
  for (const unit of found.uselessUnits) {
    const path = `/etc/systemd/system/${unit}`;
    if (at(path).type === 'link') continue;
    actions.push({ kind: 'link', summary: `Mask ${unit}: it has nothing to do here`, path, target: '/dev/null' });
  }

  if (found.executable !== undefined) {
    const source = found.executable;
    actions.push({ kind: 'copy-executable', summary: `Copy ${source} to ${EXECUTABLE}`, source });
  }
  if (!found.hasGrub || found.record.grub !== found.grubFingerprint) {
    const fingerprint = found.grubFingerprint;
    actions.push({ kind: 'build-grub', summary: 'Build GRUB’s programs', fingerprint, cost: { seconds: 1 } });
  }
  if (options.initrd && (!found.hasInitrd || found.record.initrd !== found.initrdFingerprint)) {
    actions.push({
      kind: 'build-initrd',
      summary: `Build the initramfs for ${kernel.version} with dracut`,
      kernel,
      path: initrdPath,
      fingerprint: found.initrdFingerprint,
      cost: { seconds: 10 },
    });
  }
  if (JSON.stringify(digests) !== JSON.stringify(found.record.files)) {
    actions.push({ kind: 'record-files', summary: 'Note which files are holdfast’s', digests });
  }
  return { title: 'Make the root file system bootable', actions, notices };
}
