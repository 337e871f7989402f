// The paths that the steps of one stage wrote, and how much of each: a file of which a step wrote only a part has somebody
// else's lines in it, too.

/** How much of a path a step wrote; `link`: the link itself, not what it leads to. */
export type Extent = 'whole' | 'link' | 'part';

export class WrittenPaths {
  readonly #extents = new Map<string, Extent>();

  /** A file that was written as a whole stays that when it is edited later in the same stage. */
  add(path: string, extent: Extent): void {
    if (extent !== 'part' || !this.#extents.has(path)) this.#extents.set(path, extent);
  }

  /** Paths inside the root whose content is the stage's. */
  get whole(): string[] {
    return this.#of('whole');
  }

  get links(): string[] {
    return this.#of('link');
  }

  get size(): number {
    return this.#extents.size;
  }

  #of(wanted: Extent): string[] {
    return [...this.#extents].filter(([, extent]) => extent === wanted).map(([path]) => path);
  }
}
