// A buffer that is used for one file after another: thousands of small files, each read into a buffer of its own, are
// hundreds of megabytes before anybody collects them.

export class SpareBuffer {
  readonly #sizeBytes: number;
  #free: Buffer | undefined;

  /** @param sizeBytes of each buffer; there is none before the first is asked for. */
  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
  }

  /** The buffer with whatever is in it, or another one while that is in use. It must be given back. */
  take(): Buffer {
    const buffer = this.#free ?? Buffer.allocUnsafeSlow(this.#sizeBytes);
    this.#free = undefined;
    return buffer;
  }

  /** The next one who asks gets it. */
  giveBack(buffer: Buffer): void {
    this.#free = buffer;
  }
}
