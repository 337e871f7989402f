// The account files, merged record by record. Three sides: the old base, the view, and the new tree as its image and its
// packages left it. A line-wise merge would give two accounts one number; here numbers follow names.

/** Files of records that belong together. */
export const RECORD_FILES = ['passwd', 'shadow', 'group', 'gshadow', 'subuid', 'subgid'] as const;
export type RecordFile = (typeof RECORD_FILES)[number];

/** Contents by file; a file that isn't there is absent. */
export type RecordContents = Readonly<Partial<Record<RecordFile, Uint8Array>>>;

/** Numbers of the view's accounts that are other numbers in the new tree: owners of carried files are changed by it. */
export interface IdMap {
  uid: ReadonlyMap<number, number>;
  gid: ReadonlyMap<number, number>;
}

export interface RecordConflict {
  file: RecordFile;
  /** The account's name. */
  name: string;
  /** What was decided, as a sentence. */
  decision: string;
}

export interface RecordMerge {
  /** What each file is to hold; only those that differ from the new tree's. */
  files: RecordContents;
  ids: IdMap;
  conflicts: readonly RecordConflict[];
}

export interface RecordSides {
  base: RecordContents;
  ours: RecordContents;
  theirs: RecordContents;
}

/** The record file at a path inside a root, e.g. `/etc/passwd`. */
export function recordFileAt(path: string): RecordFile | undefined {
  return RECORD_FILES.find((file) => path === `/etc/${file}`);
}
