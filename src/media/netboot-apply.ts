// Builds the files of a network boot. They are complete and on the disk, in a directory of their own beside their places,
// before the first one gets its name; the script, which leads to the others, gets it last.

import {
  chmodSync,
  copyFileSync,
  createReadStream,
  createWriteStream,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Image } from '../image/image.ts';
import { requireSpace } from '../slots/slot-file.ts';
import { fsyncPath } from '../system/durable.ts';
import type { ApplyContext, Performers } from '../system/plan.ts';
import { findBootFiles } from './boot-files.ts';
import { cpioFrame } from './cpio.ts';
import { mediumUuid } from './identity.ts';
import { type Initramfs, readInitramfs } from './initramfs.ts';
import type { NetbootAction, NetbootRequest } from './netboot-plan.ts';
import { chooseRootWay, ROOT_IN_INITRAMFS, requiredMemoryMiB } from './netboot-root.ts';
import { ipxeScript, NETBOOT_FILES, type NetbootOptions, rootFileName } from './netboot-script.ts';
import { makeOutputDirectory, sha256Of } from './publish.ts';
import { makeRootFile } from './root-file.ts';
import { openSystemTree, type SystemTree } from './system-tree.ts';
import { openWorkPlace } from './work-place.ts';

export interface NetbootState {
  image: Image;
  request: NetbootRequest;
  /** The stage file that is served beside, if one is. */
  configText: string | undefined;
  workPlace?: string;
  /** Where the files wait for their names. */
  staging?: string;
  tree?: SystemTree;
  initramfs?: Initramfs;
  options?: NetbootOptions;
  memoryMiB?: number;
  /** What was made, by name. */
  files?: readonly NetbootFile[];
}

export interface NetbootFile {
  name: string;
  sizeBytes: number;
  sha256: string;
}

export const netbootPerformers: Performers<NetbootAction, NetbootState> = {
  'prepare-place': ({ directory, needBytes }, { undo }, state) => {
    if (statSync(directory, { throwIfNoEntry: false }) === undefined) {
      requireSpace(dirname(directory), needBytes, directory);
      makeOutputDirectory(undo, directory);
      chmodSync(directory, 0o755);
    } else {
      requireSpace(directory, needBytes, directory);
    }
    const staging = mkdtempSync(join(directory, '.holdfast-netboot-'));
    undo.always(`remove ${staging}`, () => rmSync(staging, { recursive: true, force: true }));
    state.staging = staging;
  },

  'unpack-system': async ({ overlays, systemBytes }, context, state) => {
    // The packed root may be in both for a while.
    const workPlace = openWorkPlace(context.undo, {
      near: state.request.directory,
      needBytes: systemBytes * 2,
      purpose: 'the unpacked system',
    });
    state.workPlace = workPlace;
    state.tree = await openSystemTree(context, { image: state.image, overlays, workPlace });
  },

  'look-at-initramfs': async ({ way: asked }, { signal, warn }, state) => {
    const { tree } = state;
    if (tree === undefined) throw outOfOrder();
    const initramfs = await readInitramfs(tree.root.resolve(findBootFiles(tree.root).initrd), signal);
    const way = chooseRootWay(initramfs, asked);
    if (!initramfs.checksRoot) {
      warn('the image’s initramfs is too old to compare the root with its digest: a damaged one is not told');
    }
    const { base, cloudConfig, install, extra } = state.request;
    state.initramfs = initramfs;
    state.options = { way, base, cloudConfig, install, extra, rootDigest: undefined };
  },

  'make-root': async ({ compression }, context, state) => {
    const { tree, workPlace, staging, options, initramfs } = state;
    if (tree === undefined || workPlace === undefined || staging === undefined || options === undefined)
      throw outOfOrder();
    const served = join(staging, rootFileName(options.way));
    const root = options.way === 'http' ? served : join(workPlace, NETBOOT_FILES.http);
    await makeRootFile(context, tree.directory, root, {
      format: 'squashfs',
      compression,
      timeSeconds: tree.timeSeconds,
      uuid: mediumUuid({ seed: tree.seed, purpose: 'netboot' }),
    });
    if (initramfs?.checksRoot) options.rootDigest = `sha256:${await sha256Of(root, context.signal)}`;
    const rootBytes = statSync(root).size;
    const initramfsBytes = statSync(tree.root.resolve(findBootFiles(tree.root).initrd)).size;
    const initramfsUnpackedBytes = initramfs?.unpackedBytes ?? 0;
    state.memoryMiB = requiredMemoryMiB(options.way, { rootBytes, initramfsBytes, initramfsUnpackedBytes });
    if (options.way === 'initrd') await packForInitramfs(root, served, tree.timeSeconds, context);
  },

  'copy-boot-files': (_, _context, { tree, staging }) => {
    if (tree === undefined || staging === undefined) throw outOfOrder();
    const { kernel, initrd } = findBootFiles(tree.root);
    copyFileSync(tree.root.resolve(kernel), join(staging, NETBOOT_FILES.kernel));
    const copy = join(staging, NETBOOT_FILES.initrd);
    copyFileSync(tree.root.resolve(initrd), copy);
    // What comes behind an initramfs must begin at a multiple of four; zeros between two are skipped.
    truncateSync(copy, Math.ceil(statSync(copy).size / 4) * 4);
  },

  'write-config': (_, _context, { staging, configText }) => {
    if (staging === undefined || configText === undefined) throw outOfOrder();
    writeFileSync(join(staging, NETBOOT_FILES.cloudConfig), configText);
  },

  'write-script': (_, _context, { staging, options, memoryMiB, tree }) => {
    if (staging === undefined || options === undefined || memoryMiB === undefined) throw outOfOrder();
    const { prettyName, name } = tree?.osRelease ?? {};
    const facts = { name: prettyName ?? name ?? 'Linux', memoryMiB };
    writeFileSync(join(staging, NETBOOT_FILES.script), ipxeScript(options, facts));
  },

  publish: async ({ directory }, { signal }, state) => {
    const { staging } = state;
    if (staging === undefined) throw outOfOrder();
    const files: NetbootFile[] = [];
    for (const name of readdirSync(staging).sort()) {
      const file = join(staging, name);
      files.push({ name, sizeBytes: statSync(file).size, sha256: await sha256Of(file, signal) });
    }
    const sums = files.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join('');
    writeFileSync(join(staging, NETBOOT_FILES.sums), sums);
    const made = [...files.map(({ name }) => name), NETBOOT_FILES.sums];
    for (const name of made) {
      // A web server reads them, whatever this process's umask says.
      chmodSync(join(staging, name), 0o644);
      fsyncPath(join(staging, name));
    }
    const script: string = NETBOOT_FILES.script;
    for (const name of [...made.filter((each) => each !== script), script]) {
      renameSync(join(staging, name), join(directory, name));
    }
    // Those of an earlier build that belong to nothing now.
    for (const name of Object.values(NETBOOT_FILES))
      if (!made.includes(name)) rmSync(join(directory, name), { force: true });
    fsyncPath(directory);
    state.files = files;
  },
};

async function packForInitramfs(
  root: string,
  file: string,
  timeSeconds: number,
  { signal }: Pick<ApplyContext, 'signal'>,
): Promise<void> {
  const { before, after } = cpioFrame({ path: ROOT_IN_INITRAMFS, sizeBytes: statSync(root).size, timeSeconds });
  await pipeline(
    async function* () {
      yield before;
      yield* createReadStream(root, { highWaterMark: 1 << 20 });
      yield after;
    },
    createWriteStream(file, { flags: 'wx' }),
    { signal },
  );
  rmSync(root);
}

function outOfOrder(): TypeError {
  return new TypeError('the actions of a network boot ran out of order');
}
