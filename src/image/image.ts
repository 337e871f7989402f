// One face for the sources of a system, so that installing and upgrading don't care where it comes from.

import { lstatSync, statSync } from 'node:fs';
import { HoldfastError } from '../system/errors.ts';
import type { UndoStack } from '../system/plan.ts';
import type { OciImage } from './oci-image.ts';
import { formatImageSource, type ImageSource } from './reference.ts';
import type { RegistryOptions } from './registry/session.ts';
import { machinePlatform, type Platform } from './selection.ts';
import { openTree, type TreeImage } from './tree.ts';

/** What a system is made from; `source` names it, `digest` is what it is, if that can be known. */
export type Image = OciImage | TreeImage;

export interface OpenImageOptions {
  /** Of the machine that shall run it; default: this machine's. */
  platform?: Platform | undefined;
  registry?: RegistryOptions | undefined;
  /** Takes back what reading an image takes (mounts of `file:`); without it such images are refused. */
  undo?: UndoStack | undefined;
}

/**
 * Opens what a text named: reads what describes it, none of its content yet.
 * @throws HoldfastError HF-NO-SOURCE when it isn't there, HF-UNSUPPORTED for kinds that this version can't read,
 *   HF-IMAGE and HF-DIGEST for damaged ones, HF-NETWORK where one has to be fetched.
 */
export async function openImage(source: ImageSource, options: OpenImageOptions = {}): Promise<Image> {
  switch (source.kind) {
    case 'registry': {
      const { openRegistryImage } = await import('./registry/image.ts');
      return openRegistryImage(source.reference, options.platform ?? machinePlatform(), options.registry);
    }
    case 'file':
      return openFile(source.path, options);
    case 'dir':
      return openTree(source.path);
    case 'oci-layout': {
      const { openLayout } = await import('./layout.ts');
      return openLayout(source.path, { ...source, ...options.platform });
    }
    case 'oci-archive':
    case 'docker-archive': {
      const { openArchive } = await import('./archive.ts');
      return openArchive(source, options.platform);
    }
    case 'path':
      return openPath(source.path, options);
  }
}

async function openPath(path: string, options: OpenImageOptions): Promise<Image> {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) {
    const tagged = /^(.*):([^/:]+)$/.exec(path);
    const isTagged = tagged?.[1] !== undefined && statSync(tagged[1], { throwIfNoEntry: false }) !== undefined;
    throw new HoldfastError('HF-NO-SOURCE', `${path} does not exist`, {
      hint: isTagged
        ? `for an image in a layout write oci-layout:${path}`
        : `for an image in a registry write ${formatImageSource({ kind: 'registry', reference: path })}`,
    });
  }
  if (!found.isDirectory()) {
    const [{ sniffArchive }, { openArchive }] = await Promise.all([
      import('./archive-file.ts'),
      import('./archive.ts'),
    ]);
    // Which of the two it is, is found out when it is opened.
    const isArchive = found.isFile() && (await sniffArchive(path)) !== undefined;
    return isArchive ? openArchive({ kind: 'oci-archive', path }, options.platform) : openFile(path, options);
  }
  if (lstatSync(`${path}/oci-layout`, { throwIfNoEntry: false }) === undefined) return openTree(path);
  const { openLayout } = await import('./layout.ts');
  return openLayout(path, options.platform);
}

async function openFile(path: string, { undo }: OpenImageOptions): Promise<Image> {
  if (undo === undefined) {
    throw new HoldfastError('HF-UNSUPPORTED', `${path}: image files are not available as a source here`, {
      hint: `mount it and name the directory: mount -o loop,ro ${path} DIRECTORY, then dir:DIRECTORY`,
    });
  }
  const { openFilesystemFile } = await import('./filesystem-file.ts');
  return openFilesystemFile(path, { undo });
}
