// A file of records (passwd, shadow, group, gshadow, subuid) taken apart for a merge and put together again. Bytes are
// latin1 text, so that nothing that isn't UTF-8 is lost; what is no record stays a line: comments, NIS entries, broken ones.

/** The account files, by their name in /etc. */
export const RECORD_FILES = ['group', 'gshadow', 'passwd', 'shadow', 'subgid', 'subuid'] as const;
export type RecordFile = (typeof RECORD_FILES)[number];

/** Fields of a record, and which of them are numbers: passwd(5), shadow(5), group(5), gshadow(5), subuid(5). */
const SHAPES: Readonly<Record<RecordFile, { fields: number; numbers: readonly number[] }>> = {
  group: { fields: 4, numbers: [2] },
  gshadow: { fields: 4, numbers: [] },
  passwd: { fields: 7, numbers: [2, 3] },
  shadow: { fields: 9, numbers: [] },
  subgid: { fields: 3, numbers: [1, 2] },
  subuid: { fields: 3, numbers: [1, 2] },
};

export interface RecordConflict {
  /** The account's name. */
  record: string;
  winner: 'user' | 'new';
  /** What was decided, as a sentence. */
  text: string;
}

/** A record: its name first. */
export type Fields = readonly string[];

type Line = { record: Fields } | { text: string };

export class RecordTable {
  readonly #lines: readonly Line[];
  /** The first record of each name, which is the one that the system sees. */
  readonly records: ReadonlyMap<string, Fields>;

  constructor(file: RecordFile, content: Uint8Array) {
    const text = Buffer.from(content).toString('latin1');
    const lines = text.split('\n');
    if (lines.at(-1) === '') lines.pop();
    const records = new Map<string, Fields>();
    this.#lines = lines.map((line) => {
      const record = recordOf(file, line);
      if (record === undefined) return { text: line };
      const [name = ''] = record;
      if (!records.has(name)) records.set(name, record);
      return { record };
    });
    this.records = records;
  }

  /** All records, those of one name more than once too. */
  get all(): Fields[] {
    return this.#lines.flatMap((line) => ('record' in line ? [line.record] : []));
  }

  /** Lines that are no records. */
  get others(): string[] {
    return this.#lines.flatMap((line) => ('text' in line ? [line.text] : []));
  }

  /**
   * The file with other records: in the order of this one, new ones at the end but before the first NIS line, since what
   * follows that one counts less (shadow 4.13).
   * @param wanted by name; a name that it lacks goes, also where it is there twice.
   * @param others lines that are no records.
   */
  rewrite(wanted: ReadonlyMap<string, readonly Fields[]>, others: readonly string[]): Uint8Array {
    const lines: string[] = [];
    const done = new Set<string>();
    const kept = new Map<string, number>();
    for (const line of others) kept.set(line, (kept.get(line) ?? 0) + 1);
    const take = (text: string) => {
      const left = kept.get(text) ?? 0;
      kept.set(text, left - 1);
      if (left > 0) lines.push(text);
    };
    for (const line of this.#lines) {
      if ('text' in line) {
        take(line.text);
        continue;
      }
      const [name = ''] = line.record;
      if (done.has(name)) continue;
      done.add(name);
      for (const fields of wanted.get(name) ?? []) lines.push(fields.join(':'));
    }
    const fresh = [...wanted].filter(([name]) => !done.has(name)).flatMap(([, records]) => records);
    const nis = lines.findIndex((line) => /^[+-]/.test(line));
    lines.splice(nis < 0 ? lines.length : nis, 0, ...fresh.map((fields) => fields.join(':')));
    for (const line of others) take(line);
    return Buffer.from(lines.map((line) => `${line}\n`).join(''), 'latin1');
  }
}

function recordOf(file: RecordFile, line: string): Fields | undefined {
  if (/^(?:[#+-]|:|\s*$)/.test(line)) return undefined;
  const shape = SHAPES[file];
  const fields = line.split(':');
  if (fields.length !== shape.fields) return undefined;
  const isWhole = shape.numbers.every((index) => /^\d{1,10}$/.test(fields[index] ?? ''));
  return isWhole ? fields : undefined;
}
