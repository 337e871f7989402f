// The list of functions: it says of each topic exactly what its table has, and nothing of sprig is missing.

import { expect, it } from 'vitest';
import { loadFunctions, TOPICS, topicsByName } from '../../../../src/cloudconfig/templates/functions/catalogue.ts';

it.each(TOPICS.map((topic) => [topic.names.split(' ')[0], topic] as const))('the topic of %s', async (_, topic) => {
  expect(Object.keys(await topic.load()).sort()).toEqual(topic.names.split(' ').sort());
});

it('no name is in two topics', () => {
  const names = TOPICS.flatMap(({ names }) => names.split(' '));
  expect(names.length).toBe(new Set(names).size);
});

it("has all of sprig's text functions and of text/template's own", () => {
  const expected =
    'hello ago date date_in_zone date_modify dateInZone dateModify duration durationRound htmlDate htmlDateInZone ' +
    'must_date_modify mustDateModify mustToDate now toDate unixEpoch abbrev abbrevboth trunc trim upper lower title untitle ' +
    'substr repeat trimall trimAll trimSuffix trimPrefix nospace initials randAlphaNum randAlpha randAscii randNumeric ' +
    'swapcase shuffle snakecase camelcase kebabcase wrap wrapWith contains hasPrefix hasSuffix quote squote cat indent ' +
    'nindent replace plural sha1sum sha256sum sha512sum adler32sum toString atoi int64 int float64 seq toDecimal split ' +
    'splitList splitn toStrings until untilStep add1 add sub div mod mul randInt add1f addf subf divf mulf biggest max min ' +
    'maxf minf ceil floor round join sortAlpha default empty coalesce all any compact mustCompact fromJson toJson ' +
    'toPrettyJson toRawJson mustFromJson mustToJson mustToPrettyJson mustToRawJson ternary deepCopy mustDeepCopy typeOf ' +
    'typeIs typeIsLike kindOf kindIs deepEqual env expandenv getHostByName base dir clean ext isAbs osBase osClean osDir ' +
    'osExt osIsAbs b64enc b64dec b32enc b32dec tuple list dict get set unset hasKey pluck keys pick omit merge ' +
    'mergeOverwrite mustMerge mustMergeOverwrite values append push mustAppend mustPush prepend mustPrepend first ' +
    'mustFirst rest mustRest last mustLast initial mustInitial reverse mustReverse uniq mustUniq without mustWithout has ' +
    'mustHas slice mustSlice concat dig chunk mustChunk bcrypt htpasswd genPrivateKey derivePassword buildCustomCert genCA ' +
    'genCAWithKey genSelfSignedCert genSelfSignedCertWithKey genSignedCert genSignedCertWithKey encryptAES decryptAES ' +
    'randBytes uuidv4 semver semverCompare fail regexMatch mustRegexMatch regexFindAll mustRegexFindAll regexFind ' +
    'mustRegexFind regexReplaceAll mustRegexReplaceAll regexReplaceAllLiteral mustRegexReplaceAllLiteral regexSplit ' +
    'mustRegexSplit regexQuoteMeta urlParse urlJoin and or not eq ne lt le gt ge len index call print println printf html ' +
    'js urlquery';
  expect([...topicsByName().keys()].sort()).toEqual(expected.split(' ').sort());
});

it('names of the prototype are no functions', async () => {
  expect((await loadFunctions(['constructor', 'toString', '__proto__', 'nosuch'])).size).toBe(1);
});
