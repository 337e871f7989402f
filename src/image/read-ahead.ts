// Several streams at once, given one after the other: while the first is being used, the next ones are read already, and
// what waits never takes more memory than was allowed.

export interface ReadAheadOptions<T> {
  /** How many streams are open at once. */
  parallel: number;
  /** Of what was read and not taken yet, over all streams; one piece more may be there for the stream whose turn it is. */
  maxBytes: number;
  sizeOf: (piece: T) => number;
  signal?: AbortSignal | undefined;
}

/** Opens a stream; it ends soon after the signal is aborted. */
export type StreamSource<T> = (signal: AbortSignal) => AsyncIterable<T>;

interface Lane<T> {
  pieces: T[];
  state: 'running' | 'ended' | { error: unknown };
  pump: Promise<void>;
}

export class ReadAhead<T> {
  readonly #sources: readonly StreamSource<T>[];
  readonly #options: ReadAheadOptions<T>;
  readonly #lanes = new Map<number, Lane<T>>();
  readonly #abort = new AbortController();
  #turn = 0;
  #waitingBytes = 0;
  /** Called at the next change of anything. */
  #waiting: (() => void)[] = [];

  constructor(sources: readonly StreamSource<T>[], options: ReadAheadOptions<T>) {
    this.#sources = sources;
    this.#options = options;
  }

  /** The next stream; the one before it isn't read any further. Throws what its source throws. */
  async *next(): AsyncGenerator<T> {
    const turn = this.#turn;
    for (let at = turn; at < Math.min(turn + this.#options.parallel, this.#sources.length); at += 1) this.#start(at);
    const lane = this.#lanes.get(turn);
    if (lane === undefined) return;
    try {
      for (;;) {
        const piece = lane.pieces.shift();
        if (piece !== undefined) {
          this.#account(-this.#options.sizeOf(piece));
          yield piece;
        } else if (lane.state === 'ended') return;
        else if (lane.state !== 'running') throw lane.state.error;
        else await this.#change();
      }
    } finally {
      this.#turn = turn + 1;
      this.#lanes.delete(turn);
      this.#account(-lane.pieces.splice(0).reduce((sum, piece) => sum + this.#options.sizeOf(piece), 0));
    }
  }

  /** Ends all transfers and waits for that; the last call, after success and failure. */
  async close(): Promise<void> {
    this.#abort.abort();
    this.#notify();
    await Promise.all([...this.#lanes.values()].map(({ pump }) => pump));
    this.#lanes.clear();
  }

  #start(at: number): void {
    const source = this.#sources[at];
    if (source === undefined || this.#lanes.has(at)) return;
    const lane: Lane<T> = { pieces: [], state: 'running', pump: Promise.resolve() };
    this.#lanes.set(at, lane);
    lane.pump = this.#pump(at, lane, source);
  }

  async #pump(at: number, lane: Lane<T>, source: StreamSource<T>): Promise<void> {
    const { signal, sizeOf, maxBytes } = this.#options;
    const signals = [this.#abort.signal, ...(signal === undefined ? [] : [signal])];
    try {
      for await (const piece of source(AbortSignal.any(signals))) {
        // Whoever used it stopped early: nobody will take this piece.
        if (this.#lanes.get(at) !== lane || this.#abort.signal.aborted) return;
        lane.pieces.push(piece);
        this.#account(sizeOf(piece));
        while (this.#waitingBytes >= maxBytes && !(at === this.#turn && lane.pieces.length === 0)) {
          await this.#change();
          if (this.#lanes.get(at) !== lane || this.#abort.signal.aborted) return;
        }
      }
      lane.state = 'ended';
    } catch (error) {
      // Told when its turn comes.
      lane.state = { error };
    } finally {
      this.#notify();
    }
  }

  #account(bytes: number): void {
    this.#waitingBytes += bytes;
    this.#notify();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #notify(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
