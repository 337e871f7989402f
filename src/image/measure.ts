// How much space an image needs, before anything is written. Its layers are read once from end to end for that, so
// that every digest was checked when the disk is touched for the first time.

import type { Progress } from '../system/events.ts';
import { Root } from '../system/root.ts';
import { requireTools } from '../system/tools.ts';
import { parseEntryName } from './entrypath.ts';
import type { Image } from './image.ts';
import { tooMuch, visitLayers } from './layervisitor.ts';
import { addEntry, addFile } from './tally.ts';
import type { TarEntry } from './tarreader.ts';
import { walkTree } from './tree.ts';
import { allowedBytes, DEFAULT_LIMITS, type UnpackLimits } from './unpack.ts';

export interface MeasureOptions {
  /** How many of the lowest layers to leave out; default 0. */
  skipLayers?: number;
  /** Paths to look for, without leading slash, by the names that they have in the image: links are not followed. */
  lookFor?: readonly string[];
  signal?: AbortSignal | undefined;
  /** In bytes of packed layers. */
  onProgress?: ((progress: Progress) => void) | undefined;
  limits?: Partial<UnpackLimits>;
}

export interface Measure {
  /** Content of files, each rounded up to whole blocks of 4096 bytes; never less than what is needed. */
  contentBytes: number;
  /** Files, directories, links and so on; names of hard links count once. */
  entries: number;
  /** Bytes of the packed layers that were read; 0 for trees. */
  compressedBytes: number;
  /** Those of `lookFor` that the image has. */
  found: ReadonlySet<string>;
}

/** A measure, and what else unpacking the image takes. */
export interface Needs extends Measure {
  /** Programs that do what Node can't; they are there. */
  tools: ReadonlySet<string>;
}

/**
 * Reads an image and adds up what it needs. What upper layers replace is counted twice: too much, never too little.
 * @throws HoldfastError HF-DIGEST and HF-IMAGE when the image isn't what it claims to be, HF-TOOL-MISSING when
 *   unpacking it will need a program that isn't there, HF-INTERRUPTED.
 */
export async function measureImage(image: Image, options: MeasureOptions = {}): Promise<Needs> {
  const { skipLayers = 0, lookFor = [], signal, onProgress } = options;
  const total = { contentBytes: 0, entries: 0 };
  if (image.kind === 'tree') {
    requireTools(['cp']);
    const root = new Root(image.directory);
    const found = new Set(lookFor.filter((path) => root.lstat(path) !== undefined));
    for await (const stats of walkTree(image, signal)) addFile(total, stats.isFile() ? stats.size : 0);
    return { ...total, compressedBytes: 0, found, tools: new Set(['cp']) };
  }
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const search = new Search(lookFor);
  // Layers on top of others may take attributes away.
  const tools = new Set<string>(skipLayers > 0 ? ['getfattr', 'setfattr'] : []);
  const layers = image.layers.slice(skipLayers);
  const { packedBytes } = await visitLayers(
    image,
    layers,
    { signal, onProgress, maxBytes: allowedBytes(limits, layers) },
    () => {
      search.beginLayer();
      return {
        handle: (event) => {
          if (event.kind !== 'entry') return undefined;
          search.see(event.entry);
          for (const tool of toolsFor(event.entry)) tools.add(tool);
          addEntry(total, event.entry);
          if (total.entries > limits.entries) throw tooMuch(`more than ${limits.entries} entries`);
          return undefined;
        },
      };
    },
  );
  requireTools([...tools]);
  return { ...total, compressedBytes: packedBytes, found: search.found(), tools };
}

/** What unpacking an entry takes that Node can't do. */
function toolsFor({ type, xattrs }: TarEntry): string[] {
  const tools = xattrs.size > 0 ? ['setfattr'] : [];
  return type.endsWith('-device') || type === 'fifo' ? [...tools, 'mknod'] : tools;
}

/** Follows a few paths through the layers: what one brings, another one may hide. */
class Search {
  readonly #wanted: ReadonlySet<string>;
  /** From layers below the current one, and from the current one: its own whiteouts don't hide that. */
  #lower = new Set<string>();
  #here = new Set<string>();

  constructor(paths: readonly string[]) {
    this.#wanted = new Set(paths);
  }

  beginLayer(): void {
    this.#lower = new Set(this.found());
    this.#here = new Set();
  }

  see(entry: TarEntry): void {
    const name = parseEntryName(entry.name);
    if (name.kind === 'ignored') return;
    const path = name.parts.join('/');
    if (name.kind === 'entry') {
      if (this.#wanted.has(path)) this.#here.add(path);
      // What is no directory hides the directory that was there.
      if (entry.type !== 'directory') this.#hide(`${path}/`);
    } else {
      if (name.kind === 'whiteout') this.#lower.delete(path);
      this.#hide(path === '' ? '' : `${path}/`);
    }
  }

  found(): ReadonlySet<string> {
    return new Set([...this.#lower, ...this.#here]);
  }

  #hide(prefix: string): void {
    for (const path of this.#lower) if (path.startsWith(prefix)) this.#lower.delete(path);
  }
}
