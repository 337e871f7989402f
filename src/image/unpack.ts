// Unpacks layers into a directory: one pass, nothing stored in between, memory bounded whatever the layers say.

import { readdirSync } from 'node:fs';
import type { Layer } from './blob.ts';
import { showName } from './entrypath.ts';
import { isNoSpace, LayerUnpacker } from './layerunpacker.ts';
import { type LayerVisitor, tooMuch, type VisitOptions, visitLayers } from './layervisitor.ts';
import { DirectoryTimes } from './modificationtimes.ts';
import type { OciImage } from './oci-image.ts';
import { addEntry, type Tally } from './tally.ts';
import { TargetTree, type TreePath } from './targettree.ts';
import { XattrLedger } from './xattrs.ts';

/** What an image may ask for; an image above it is refused. */
export interface UnpackLimits {
  /** Bytes of all unpacked tar streams together. */
  bytes: number;
  /** Files, directories and other names, counted once per layer. */
  entries: number;
  /** Bytes of all their names: they are kept in memory while a layer is unpacked. */
  nameBytes: number;
}

/** Far above any system, far below what would harm a machine. */
export const DEFAULT_LIMITS: UnpackLimits = { bytes: 64 * 2 ** 30, entries: 2_000_000, nameBytes: 512 * 2 ** 20 };

/** No system packs better than this, but for files of zeros, of which there may be so much. */
const MAX_RATIO = 200;
const FREE_BYTES = 4 * 2 ** 30;

/** How many bytes layers may unpack to: a small one that becomes huge was made to fill a disk. */
export function allowedBytes(limits: UnpackLimits, layers: readonly Pick<Layer, 'sizeBytes'>[]): number {
  const packedBytes = layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return Math.min(limits.bytes, Math.max(FREE_BYTES, packedBytes * MAX_RATIO));
}

/** Above this, layers are expected to touch so many directories that asking about all at once is cheaper. */
const LARGE_LAYERS_BYTES = 4 << 20;

export interface UnpackOptions extends Pick<VisitOptions, 'signal' | 'onProgress'> {
  limits?: Partial<UnpackLimits>;
  /** Sees each layer too, after the unpacker. */
  observe?: ((layer: Layer) => LayerVisitor) | undefined;
  /**
   * Called when the directory is full, in the middle of an entry: it may unmount, enlarge and mount again what holds the
   * directory. Then unpacking goes on where it was, and nothing is read twice. It throws when there is no more room.
   */
  makeRoom?: (() => Promise<void>) | undefined;
}

export interface UnpackResult {
  /** Entries that were put into the directory. */
  files: number;
  /** What was unpacked, counted as `measureImage` does. */
  counted: Tally;
  /** Bytes of the unpacked tar streams. */
  bytes: number;
  /** What was left out, one sentence for each kind. */
  warnings: readonly string[];
  /** Directories that no entry speaks of: they were made because something lies in them. */
  implied: ReadonlySet<TreePath>;
  /** Whether any entry has extended attributes. */
  hasXattrs: boolean;
}

/**
 * Unpacks layers in order into a directory that is empty or holds what the layers below them made. The result is what
 * the OCI image specification says of applying changesets. Nothing outside the directory is touched; after an error
 * what is inside is incomplete. Needs root for owners and devices.
 * @throws HoldfastError HF-IMAGE for hostile or malformed layers, HF-DIGEST, HF-NO-SPACE, HF-INTERRUPTED,
 *   HF-TOOL-MISSING when extended attributes or devices need a program that isn't there.
 */
export async function unpackLayers(
  image: Pick<OciImage, 'readLayer' | 'prefetch'>,
  layers: readonly Layer[],
  targetDirectory: string,
  options: UnpackOptions = {},
): Promise<UnpackResult> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const warnings = new WarningList();
  const times = new DirectoryTimes();
  const implied = new Set<TreePath>();
  const tree: TargetTree = new TargetTree(targetDirectory, {
    beforeChange: (directory) => times.keep(tree, directory),
    implied: (directory, time) => {
      times.set(directory, time);
      xattrs.made(directory);
      countEntry(directory);
      implied.add(directory);
    },
    removed: (path, wasDirectory) => {
      if (wasDirectory) times.forget(path);
      xattrs.forget(path, wasDirectory);
    },
  });
  const xattrs = new XattrLedger(tree);
  let files = 0;
  let nameBytes = 0;
  const countEntry = (path: string) => {
    implied.delete(path);
    files += 1;
    nameBytes += path.length;
    if (files > limits.entries) throw tooMuch(`more than ${limits.entries} entries`);
    if (nameBytes > limits.nameBytes) throw tooMuch(`more than ${limits.nameBytes} bytes of names`);
  };
  // A fresh ext4 has this directory, which carries nothing.
  if (readdirSync(tree.directory).some((name) => name !== 'lost+found')) {
    const packedBytes = layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    await xattrs.learn({ atOnce: packedBytes > LARGE_LAYERS_BYTES });
  }

  const { makeRoom } = options;
  const withRoom = async (act: () => Promise<void>): Promise<void> => {
    try {
      await act();
    } catch (error) {
      if (makeRoom === undefined || !isNoSpace(error)) throw error;
      await makeRoom();
      await withRoom(act);
    }
  };
  const counted: Tally = { contentBytes: 0, entries: 0 };

  const { bytes } = await visitLayers(
    image,
    layers,
    { ...options, maxBytes: allowedBytes(limits, layers) },
    (layer) => {
      const observer = options.observe?.(layer);
      const unpacker = new LayerUnpacker({
        tree,
        times,
        xattrs,
        warn: (text, name) => warnings.add(text, name),
        countEntry,
        makeRoom,
      });
      return {
        handle: (event) => {
          if (event.kind === 'entry') addEntry(counted, event.entry);
          const waiting = unpacker.handle(event);
          observer?.handle(event);
          return waiting;
        },
        end: async () => {
          await withRoom(() => xattrs.flush());
          await observer?.end?.();
        },
        close: () => {
          unpacker.close();
          observer?.close?.();
        },
      };
    },
  );
  await withRoom(() => xattrs.finish());
  times.apply(tree);
  return { files, counted, bytes, warnings: warnings.list(), implied, hasXattrs: xattrs.isUsed };
}

/** The same thing about many entries makes one sentence. */
class WarningList {
  readonly #counts = new Map<string, { count: number; first: string }>();

  add(text: string, name: string): void {
    const known = this.#counts.get(text);
    if (known !== undefined) known.count += 1;
    // The texts hold keys that the layer chose: there must not be any number of them.
    else if (this.#counts.size < 100) this.#counts.set(text, { count: 1, first: name });
  }

  list(): string[] {
    return [...this.#counts].map(([text, { count, first }]) =>
      count === 1 ? `${showName(first)}: ${text}` : `${showName(first)} and ${count - 1} more: ${text}`,
    );
  }
}
