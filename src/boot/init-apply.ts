// Carries out the plan of `holdfast init`. Programs of the image (dracut, grub-mkimage) run inside the root, with the
// kernel's file systems mounted there for as long as dracut runs.

import { chmodSync, copyFileSync, renameSync, rmSync } from 'node:fs';
import { HoldfastError } from '../system/errors.ts';
import { bindMount, mountUntilEnd, unmount } from '../system/mounts.ts';
import type { ApplyContext, Performers } from '../system/plan.ts';
import { commandFailed } from '../system/process.ts';
import type { Root } from '../system/root.ts';
import { buildGrubPrograms } from './grub-program.ts';
import { EXECUTABLE, type InitAction } from './init-plan.ts';
import { updateRecord } from './init-record.ts';

export const initPerformers: Performers<InitAction, { root: Root }> = {
  remove: ({ path }, _, { root }) => root.remove(path),

  'make-directory': ({ path, mode }, _, { root }) => root.makeDirectory(path, mode),

  'write-file': ({ path, mode, text }, _, { root }) => {
    // A link would lead the text to somewhere else.
    if (root.lstat(path)?.isSymbolicLink()) root.remove(path);
    root.writeFile(path, text, { mode });
  },

  'write-documents': ({ documents }, _, { root }) => {
    for (const [path, text] of Object.entries(documents)) {
      if (root.lstat(path)?.isSymbolicLink()) root.remove(path);
      root.writeFile(path, text, { mode: 0o644 });
    }
  },

  link: ({ path, target }, _, { root }) => root.link(path, target),

  'copy-executable': ({ source }, { undo }, { root }) => {
    const target = root.resolve(EXECUTABLE);
    const forget = undo.onFailure(`remove ${target}.new`, () => rmSync(`${target}.new`, { force: true }));
    copyFileSync(source, `${target}.new`);
    chmodSync(`${target}.new`, 0o755);
    renameSync(`${target}.new`, target);
    forget();
  },

  'build-grub': async ({ fingerprint }, { signal }, { root }) => {
    await buildGrubPrograms(root, signal);
    updateRecord(root, { grub: fingerprint });
  },

  'build-initrd': async ({ kernel, path, fingerprint }, context, { root }) => {
    const release = root.isHost ? async () => {} : await mountKernelFilesystems(root, context);
    const result = await root.run(['dracut', '--force', '--kver', kernel.version, path], {
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', HOME: '/root' },
      signal: context.signal,
      onLine: (text) => context.events({ type: 'output', text }),
    });
    await release();
    // dracut reports a module that it had to leave out, and succeeds.
    if (result.status !== 0 || !(root.stat(path)?.isFile() ?? false)) {
      throw new HoldfastError('HF-NOT-BOOTABLE', 'dracut could not build the initramfs', {
        cause: commandFailed(result),
        outputTail: result.stderr.trim().split('\n').slice(-20).join('\n'),
      });
    }
    updateRecord(root, { initrd: fingerprint });
  },

  'record-files': ({ digests }, _, { root }) => updateRecord(root, { files: digests }),
};

/** What a program in a chroot expects to find. Returns a function that takes it away again. */
async function mountKernelFilesystems(root: Root, { undo }: ApplyContext): Promise<() => Promise<void>> {
  const release: (() => Promise<void>)[] = [];
  for (const path of ['/proc', '/sys', '/dev']) {
    const at = root.resolve(path);
    await bindMount(path, at);
    release.unshift(undo.always(`unmount ${at}`, () => unmount(at)));
  }
  for (const path of ['/run', '/tmp', '/var/tmp']) {
    release.unshift(await mountUntilEnd(undo, 'tmpfs', root.resolve(path), { type: 'tmpfs' }));
  }
  return async () => {
    for (const step of release) await step();
  };
}
