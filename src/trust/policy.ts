// /etc/holdfast/policy.yaml: which images may become the system, by name. Pure but for the one function that reads the
// file; a policy that can't be understood refuses everything.

import { readFileSync, statSync } from 'node:fs';
import type { z } from 'zod';
import { nearestWord } from '../cloudconfig/suggestion.ts';
import { parseRegistryName } from '../image/registry/name.ts';
import { HoldfastError } from '../system/errors.ts';
import { type CosignDocument, type PolicyDocument, policySchema, type RuleDocument } from './policy-schema.ts';
import { type LocatedValue, readPolicyText } from './policy-text.ts';
import { comparableHost, comparableName } from './trust-name.ts';
import { type CosignRule, hasPolicy, NO_RULE, type NotaryRule, type Policy, type TrustRule } from './trust-rule.ts';

const MAX_BYTES = 1 << 20;

/**
 * Reads a policy that must be there.
 * @throws HoldfastError HF-CONFIG with the place of what is wrong, or when it is there and can't be read (a link that
 *   leads nowhere), HF-NO-SOURCE when it isn't there.
 */
export function readPolicy(path: string): Policy {
  let text: string;
  try {
    const { size } = statSync(path);
    if (size > MAX_BYTES)
      throw new HoldfastError('HF-CONFIG', `the policy ${path} has ${size} bytes, ${MAX_BYTES} at most are read`);
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    const isThere = hasPolicy(path);
    throw new HoldfastError(isThere ? 'HF-CONFIG' : 'HF-NO-SOURCE', `the policy ${path} can't be read`, {
      cause,
      ...(isThere && { hint: 'nothing is installed until it can be read' }),
    });
  }
  return parsePolicy(text, path);
}

/** @throws HoldfastError HF-CONFIG with the place of what is wrong. */
export function parsePolicy(text: string, file: string): Policy {
  const located = readPolicyText(text, file);
  const result = policySchema.safeParse(located.value);
  if (!result.success) throw explain(result.error, located);
  return new Rules(result.data, located, file);
}

interface Pattern {
  /** As the file has it. */
  key: string;
  /** In the spelling of {@link comparableName}; a beginning ends with a slash. */
  name: string;
  isPrefix: boolean;
}

class Rules implements Policy {
  readonly #document: PolicyDocument;
  readonly #located: LocatedValue;
  readonly #file: string;
  readonly #patterns: readonly Pattern[];

  constructor(document: PolicyDocument, located: LocatedValue, file: string) {
    this.#document = document;
    this.#located = located;
    this.#file = file;
    this.#patterns = parsePatterns(Object.keys(document.images ?? {}), located);
  }

  forRepository(repository: string): TrustRule {
    const wanted = comparableName(repository);
    const best = this.#patterns
      .filter(({ name, isPrefix }) => (isPrefix ? wanted.startsWith(name) : wanted === name))
      .reduce<Pattern | undefined>(
        (longest, each) => (longest === undefined || rankOf(each) > rankOf(longest) ? each : longest),
        undefined,
      );
    if (best === undefined) return this.#rule(this.#document.default, ['default'], 'default');
    return this.#rule(this.#document.images?.[best.key], ['images', best.key], best.key);
  }

  forMedia(): TrustRule {
    return { ...this.#rule(this.#document.media, ['media'], 'media'), notary: undefined };
  }

  #rule(rule: RuleDocument | undefined, path: readonly string[], name: string): TrustRule {
    if (rule === undefined) return NO_RULE;
    const { notary = true, cosign } = rule;
    const asked = notary === true ? {} : notary;
    return {
      from: `${this.#file}:${this.#located.locate(path).line} (${name})`,
      notary: asked === false ? undefined : toNotary(asked),
      cosign: cosign && toCosign(cosign),
      mayBeUnverified: rule['no-verify'] !== 'refuse',
      mayDowngrade: rule.downgrade !== 'refuse',
      minimumVersion: rule['minimum-version'],
    };
  }
}

function rankOf({ name, isPrefix }: Pattern): number {
  return isPrefix ? name.length : Number.POSITIVE_INFINITY;
}

function toNotary(rule: Exclude<RuleDocument['notary'], boolean | undefined>): NotaryRule {
  return {
    server: rule.server,
    caFile: rule.ca,
    rootKeys: rule['root-keys'],
    rootCaFile: rule['root-ca'],
    firstUse: rule['first-use'] ?? true,
  };
}

function toCosign(rule: CosignDocument): CosignRule {
  return {
    keys: rule.keys ?? [],
    identities: rule.identities ?? [],
    trustedRoot: rule['trusted-root'],
    repository: rule.repository,
    annotations: rule.annotations ?? {},
    enforceReference: rule.reference === 'enforce',
    requireLog: rule.log === 'require',
  };
}

/** Of two rules for the same images one would be a check that never happens. */
function parsePatterns(keys: readonly string[], located: LocatedValue): Pattern[] {
  const byName = new Map<string, Pattern>();
  for (const key of keys) {
    const pattern = parsePattern(key, located);
    const other = byName.get(pattern.name);
    if (other !== undefined) {
      const message = `${JSON.stringify(key)} names the same images as ${JSON.stringify(other.key)}`;
      throw new HoldfastError('HF-CONFIG', message, {
        location: located.locate(['images', key]),
        hint: 'put both rules into one',
      });
    }
    byName.set(pattern.name, pattern);
  }
  return [...byName.values()];
}

/** A pattern that can't fit any image would be a check that never happens. */
function parsePattern(key: string, located: LocatedValue): Pattern {
  const wrong = (why: string) =>
    new HoldfastError('HF-CONFIG', `${JSON.stringify(key)} names no images: ${why}`, {
      location: located.locate(['images', key]),
      hint: 'for example registry.example/os/base, registry.example/os/* or docker.io/*; for all others write "default:"',
    });
  const isPrefix = key.endsWith('/*');
  const [first = '', ...rest] = (isPrefix ? key.slice(0, -2) : key).split('/');
  if (!/[.:]/.test(first) && first !== 'localhost') throw wrong('it does not begin with a registry');
  try {
    // The rules of names decide; a whole registry has no repository of its own to be checked.
    const name = parseRegistryName([first, ...(rest.length > 0 ? rest : ['any/thing'])].join('/'));
    if (name.digest !== undefined || /:[^/]*$/.test(rest.join('/'))) throw wrong('it has a tag or a digest');
    if (rest.length === 0 && !isPrefix) throw wrong('it is a registry without a repository');
    // Of docker.io/acme/* only names without a star stand for something in library/.
    if (isPrefix) return { key, isPrefix, name: `${[comparableHost(name.host), ...rest].join('/')}/` };
    return { key, isPrefix, name: comparableName(`${name.host}/${name.repository}`) };
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'HF-USAGE') throw wrong(error.message);
    throw error;
  }
}

/** The first problem, where it is. */
function explain(error: z.ZodError, located: LocatedValue): HoldfastError {
  const issue = deepest(error.issues[0], []);
  const path = issue.path;
  const unknown = issue.unknown;
  const at = path.length === 0 ? '' : `${path.map(String).join('.')}: `;
  if (unknown === undefined) {
    return new HoldfastError('HF-CONFIG', `the policy is not what it should be: ${at}${issue.message}`, {
      location: located.locate(path),
      hint: 'nothing is installed until the policy is right',
    });
  }
  const suggestion = nearestWord(unknown, KEYS);
  return new HoldfastError('HF-CONFIG', `the policy has the unknown key ${JSON.stringify(unknown)}`, {
    location: located.locate([...path, unknown]),
    hint: suggestion === undefined ? `known keys: ${KEYS.join(', ')}` : `did you mean ${suggestion}?`,
  });
}

interface Problem {
  path: readonly PropertyKey[];
  message: string;
  unknown?: string | undefined;
}

/** Of a union, the branch that came furthest is what was meant. */
function deepest(issue: z.core.$ZodIssue | undefined, above: readonly PropertyKey[]): Problem {
  const path = [...above, ...(issue?.path ?? [])];
  if (issue?.code === 'invalid_union') {
    const found = issue.errors
      .map(([first]) => deepest(first, path))
      .sort(
        (a, b) => Number(b.unknown !== undefined) - Number(a.unknown !== undefined) || b.path.length - a.path.length,
      );
    if (found[0] !== undefined) return found[0];
  }
  return {
    path,
    message: issue?.message ?? 'unknown',
    unknown: issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined,
  };
}

const KEYS = [
  ...['default', 'images', 'media', 'notary', 'cosign', 'no-verify', 'downgrade', 'minimum-version', 'server', 'ca'],
  ...['root-keys', 'root-ca', 'first-use', 'keys', 'identities', 'issuer', 'subject', 'trusted-root', 'repository'],
  ...['annotations', 'reference', 'log'],
];
