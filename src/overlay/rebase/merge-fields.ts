// Merges three forms of one object attribute by attribute: each that only one side changed is taken from that side, so a mode
// set by hand survives on new content. Content is one attribute; its time and its capabilities go with it, since a new program
// must not get what was granted to an old one. Pure.

import { differences, type Field, type TreeObject } from './tree-object.ts';

export interface MergedFields {
  /** Where content comes from; `conflict` when both changed it and there is no merged form. */
  content: 'view' | 'base' | 'merge' | 'conflict';
  /** Attributes that both changed differently. */
  inConflict: readonly Field[];
  /** What it is when the user wins these, and when the new base does. */
  ofUser: TreeObject;
  ofBase: TreeObject;
}

export interface MergeFieldsOptions {
  before: TreeObject;
  /** As the user left it, and the same with the owners of the new view. */
  after: TreeObject;
  view: TreeObject;
  base: TreeObject;
  /** Whether there is a content that has both sides' changes. */
  isMerged: boolean;
}

const CAPABILITY = 'xattr:security.capability';

/** All four are of one type. */
export function mergeFields({ before, after, view, base, isMerged }: MergeFieldsOptions): MergedFields {
  const ofTheUser = differences(before, after);
  const ofTheBase = new Set(differences(before, base));
  // Against the other side's result; owners are numbers of the new view on both sides here.
  const different = new Set(differences(view, base));
  const content = contentOf(ofTheUser, ofTheBase, different, isMerged);
  const takesContent = content === 'view' || content === 'merge';
  const common = takesContent ? withContent(base, view) : base;
  const inConflict: Field[] = [];
  let [ofUser, ofBase] = [common, common];
  for (const field of ofTheUser) {
    if (field === 'content' || field === 'type') continue;
    if (field === 'time') {
      if (!ofTheBase.has('content') && !takesContent) {
        ofUser = { ...ofUser, mtimeNs: view.mtimeNs };
        ofBase = { ...ofBase, mtimeNs: view.mtimeNs };
      }
      continue;
    }
    if (field === CAPABILITY && takesContent) continue;
    const isContested = ofTheBase.has(field) && different.has(field);
    if (isContested) inConflict.push(field);
    ofUser = withField(ofUser, view, field);
    if (!isContested) ofBase = withField(ofBase, view, field);
  }
  return { content, inConflict, ofUser, ofBase };
}

function contentOf(
  ofTheUser: readonly Field[],
  ofTheBase: ReadonlySet<Field>,
  different: ReadonlySet<Field>,
  isMerged: boolean,
): MergedFields['content'] {
  if (!ofTheUser.includes('content') || !different.has('content')) return 'base';
  if (!ofTheBase.has('content')) return 'view';
  return isMerged ? 'merge' : 'conflict';
}

/** The content of another object, with what belongs to it. */
function withContent(object: TreeObject, from: TreeObject): TreeObject {
  const { sizeBytes, storedBytes, isSparse, linkTarget, device, mtimeNs, digest } = from;
  return withField(
    {
      ...object,
      sizeBytes,
      storedBytes,
      isSparse,
      linkTarget,
      device,
      mtimeNs,
      ...(digest !== undefined && { digest }),
    },
    from,
    CAPABILITY,
  );
}

function withField(object: TreeObject, from: TreeObject, field: Field): TreeObject {
  if (!field.startsWith('xattr:')) {
    switch (field) {
      case 'mode':
        return { ...object, mode: from.mode };
      case 'uid':
        return { ...object, uid: from.uid };
      case 'gid':
        return { ...object, gid: from.gid };
      case 'flags':
        return { ...object, flags: from.flags };
      default:
        return object;
    }
  }
  const name = field.slice('xattr:'.length);
  const xattrs = new Map(object.xattrs);
  const value = from.xattrs.get(name);
  if (value === undefined) xattrs.delete(name);
  else xattrs.set(name, value);
  return { ...object, xattrs };
}
