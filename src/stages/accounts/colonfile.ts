// A file of lines with fields between colons (passwd, shadow, group, gshadow, subuid), edited record by record: lines
// that no record is asked of, comments, blank ones, NIS entries and bytes that are no UTF-8 stay exactly as they are.

/** Bytes as text and back without loss; a character is a byte. */
const RAW = 'latin1';

export class ColonFile {
  readonly #original: string;
  readonly #lines: string[];
  readonly #fieldCount: number;
  /** The last line had no line break. */
  #open: boolean;

  /** @param fieldCount how many fields a whole record has. */
  constructor(content: Uint8Array, fieldCount: number) {
    this.#original = Buffer.from(content).toString(RAW);
    this.#lines = this.#original.split('\n');
    this.#fieldCount = fieldCount;
    this.#open = this.#lines.pop() !== '';
    if (this.#open) this.#lines.push(this.#original.slice(this.#original.lastIndexOf('\n') + 1));
  }

  /** All records, each as its fields; fields that a short line lacks are empty. */
  *records(): Generator<readonly string[]> {
    for (const line of this.#lines) if (isRecord(line)) yield this.#fields(line);
  }

  /** The first record of this name, which is the one that the system sees. */
  find(name: string): readonly string[] | undefined {
    const line = this.#lines[this.#position(name)];
    return line === undefined ? undefined : this.#fields(line);
  }

  /**
   * Writes a record: over the first one of its name, else as a new one.
   * @param fields the name first; undefined keeps what the field holds.
   */
  put(fields: readonly [string, ...(string | undefined)[]]): void {
    const position = this.#position(fields[0]);
    const line = this.#lines[position];
    const old = line === undefined ? [] : this.#rawFields(line);
    const now = Array.from({ length: this.#fieldCount }, (_, index) => {
      const wanted = fields[index];
      return wanted === undefined ? (old[index] ?? '') : Buffer.from(wanted, 'utf8').toString(RAW);
    }).join(':');
    if (line === undefined) this.#insert(now);
    else if (now !== line) this.#lines[position] = now;
  }

  /** Takes out all records of this name; whether there was one. */
  remove(name: string): boolean {
    const raw = Buffer.from(name, 'utf8').toString(RAW);
    const kept = this.#lines.filter((line) => !(isRecord(line) && nameOf(line) === raw));
    if (kept.length === this.#lines.length) return false;
    if (this.#lines.at(-1) !== kept.at(-1)) this.#open = false;
    this.#lines.splice(0, this.#lines.length, ...kept);
    return true;
  }

  get changed(): boolean {
    return this.#text() !== this.#original;
  }

  toBytes(): Uint8Array {
    return Buffer.from(this.#text(), RAW);
  }

  #text(): string {
    return this.#lines.join('\n') + (this.#open || this.#lines.length === 0 ? '' : '\n');
  }

  #position(name: string): number {
    const raw = Buffer.from(name, 'utf8').toString(RAW);
    return this.#lines.findIndex((line) => isRecord(line) && nameOf(line) === raw);
  }

  /** shadow 4.13, commonio: a new entry goes before the first NIS line, since what follows that one counts less. */
  #insert(line: string): void {
    const nis = this.#lines.findIndex(isNis);
    if (nis >= 0) {
      this.#lines.splice(nis, 0, line);
    } else {
      this.#lines.push(line);
      this.#open = false;
    }
  }

  #fields(line: string): string[] {
    return this.#rawFields(line).map((field) => Buffer.from(field, RAW).toString('utf8'));
  }

  #rawFields(line: string): string[] {
    const fields = line.split(':', this.#fieldCount);
    while (fields.length < this.#fieldCount) fields.push('');
    return fields;
  }
}

function isNis(line: string): boolean {
  return line.startsWith('+') || line.startsWith('-');
}

function isRecord(line: string): boolean {
  return line.includes(':') && !line.startsWith('#') && !isNis(line);
}

function nameOf(line: string): string {
  return line.slice(0, line.indexOf(':'));
}
