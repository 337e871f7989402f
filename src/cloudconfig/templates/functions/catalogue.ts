// All functions by topic. Only the names are here; a topic's code is loaded when a template calls one of them, since most
// templates call one or two.

import type { FunctionTable, GoFunction } from './function.ts';

interface Topic {
  /** Separated by spaces. */
  names: string;
  load: () => Promise<FunctionTable>;
}

/** The names here are those of the tables; a test compares them. */
export const TOPICS: readonly Topic[] = [
  {
    names: 'and or not eq ne lt le gt ge len index call print println printf html js urlquery',
    load: async () => (await import('./builtins.ts')).builtins,
  },
  {
    names:
      'hello trim trimAll trimall trimPrefix trimSuffix trunc substr abbrev abbrevboth repeat replace nospace contains ' +
      'hasPrefix hasSuffix indent nindent plural quote squote cat split splitn splitList toString',
    load: async () => (await import('./strings.ts')).strings,
  },
  { names: 'wrap wrapWith', load: async () => (await import('./words.ts')).words },
  {
    names: 'upper lower title untitle swapcase initials camelcase snakecase kebabcase',
    load: async () => (await import('./casing.ts')).casing,
  },
  {
    names:
      'list tuple append push mustAppend mustPush prepend mustPrepend first mustFirst last mustLast rest mustRest ' +
      'initial mustInitial reverse mustReverse compact mustCompact uniq mustUniq without mustWithout has mustHas chunk ' +
      'mustChunk slice mustSlice concat join sortAlpha toStrings',
    load: async () => (await import('./lists.ts')).lists,
  },
  {
    names:
      'dict get set unset hasKey keys values pluck pick omit merge mustMerge mergeOverwrite mustMergeOverwrite deepCopy ' +
      'mustDeepCopy dig',
    load: async () => (await import('./dicts.ts')).dicts,
  },
  {
    names:
      'int int64 float64 atoi toDecimal add1 add sub mul div mod max biggest min maxf minf floor ceil round until ' +
      'untilStep seq randInt',
    load: async () => (await import('./numbers.ts')).numbers,
  },
  { names: 'add1f addf subf mulf divf', load: async () => (await import('./decimals.ts')).decimals },
  {
    names: 'default empty coalesce all any ternary fail typeOf typeIs typeIsLike kindOf kindIs deepEqual',
    load: async () => (await import('./choices.ts')).choices,
  },
  {
    names: 'toJson mustToJson toPrettyJson mustToPrettyJson toRawJson mustToRawJson fromJson mustFromJson',
    load: async () => (await import('./json.ts')).json,
  },
  {
    names: 'b64enc b64dec b32enc b32dec',
    load: async () => (await import('./encoding.ts')).encoding,
  },
  {
    names: 'sha1sum sha256sum sha512sum adler32sum',
    load: async () => (await import('./checksums.ts')).checksums,
  },
  {
    names: 'base dir clean ext isAbs osBase osDir osClean osExt osIsAbs',
    load: async () => (await import('./paths.ts')).paths,
  },
  {
    names: 'randAlphaNum randAlpha randNumeric randAscii randBytes uuidv4 shuffle',
    load: async () => (await import('./random.ts')).random,
  },
  { names: 'env expandenv getHostByName', load: async () => (await import('./machine.ts')).machine },
  {
    names:
      'regexMatch mustRegexMatch regexFind mustRegexFind regexFindAll mustRegexFindAll regexReplaceAll ' +
      'mustRegexReplaceAll regexReplaceAllLiteral mustRegexReplaceAllLiteral regexSplit mustRegexSplit regexQuoteMeta',
    load: async () => (await import('./regex.ts')).regex,
  },
  { names: 'semver semverCompare', load: async () => (await import('./versions.ts')).versions },
  { names: 'urlParse urlJoin', load: async () => (await import('./urls.ts')).urls },
  {
    names:
      'now date dateInZone date_in_zone htmlDate htmlDateInZone dateModify date_modify mustDateModify must_date_modify ' +
      'toDate mustToDate unixEpoch ago duration durationRound',
    load: async () => (await import('./dates.ts')).dates,
  },
  {
    names:
      'bcrypt htpasswd derivePassword encryptAES decryptAES genPrivateKey buildCustomCert genCA genCAWithKey ' +
      'genSelfSignedCert genSelfSignedCertWithKey genSignedCert genSignedCertWithKey',
    load: async () => (await import('./secrets.ts')).secrets,
  },
];

let known: ReadonlyMap<string, Topic> | undefined;

/** Every function's topic, by its name. */
export function topicsByName(): ReadonlyMap<string, Topic> {
  known ??= new Map(TOPICS.flatMap((topic) => topic.names.split(' ').map((name) => [name, topic] as const)));
  return known;
}

/** The functions that a template calls. */
export async function loadFunctions(names: Iterable<string>): Promise<ReadonlyMap<string, GoFunction>> {
  const topics = topicsByName();
  const result = new Map<string, GoFunction>();
  for (const name of names) {
    const table = await topics.get(name)?.load();
    const found = table !== undefined && Object.hasOwn(table, name) ? table[name] : undefined;
    if (found !== undefined) result.set(name, found);
  }
  return result;
}
