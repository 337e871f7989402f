// Labels, selectors and tolerations as people write them for kubectl, as data: `key=value`, `key in (a,b)`, `!key`,
// `key=value:NoSchedule`. Names are checked as the API server checks them, where the mistake still has its line.

import { HoldfastError } from '../system/errors.ts';
import type { LabelSelector, Toleration } from './plan-document.ts';

/** Kubernetes, "Labels and Selectors": up to 63 letters, digits, `-_.`, beginning and ending with a letter or digit. */
const NAME = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const PREFIX = /^(?=.{1,253}$)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;

export function isLabelKey(text: string): boolean {
  const slash = text.indexOf('/');
  if (slash < 0) return NAME.test(text);
  return PREFIX.test(text.slice(0, slash)) && NAME.test(text.slice(slash + 1));
}

export function isLabelValue(text: string): boolean {
  return text === '' || NAME.test(text);
}

/** A name of an object: DNS-1123 subdomain, as Plans, Secrets and service accounts have. */
export function isObjectName(text: string): boolean {
  return PREFIX.test(text);
}

/**
 * Selectors of kubectl's `-l`, several of them meaning all together.
 * @throws HoldfastError HF-USAGE with the part that can't be read.
 */
export function parseSelectors(texts: readonly string[]): LabelSelector {
  const matchLabels: Record<string, string> = {};
  const matchExpressions: NonNullable<LabelSelector['matchExpressions']> = [];
  for (const part of texts.flatMap(splitSelector)) {
    const [, equalKey, equalValue] = /^([^\s!=]+)\s*==?\s*(\S*)$/.exec(part) ?? [];
    if (equalKey !== undefined && equalValue !== undefined) {
      checkKey(equalKey, part);
      checkValues([equalValue], part);
      if (Object.hasOwn(matchLabels, equalKey) && matchLabels[equalKey] !== equalValue) {
        throw unusable(part, `${equalKey} can't have two values at once`, `write ${equalKey} in (a,b)`);
      }
      matchLabels[equalKey] = equalValue;
    } else matchExpressions.push(parseRequirement(part));
  }
  return {
    ...(Object.keys(matchLabels).length > 0 && { matchLabels }),
    ...(matchExpressions.length > 0 && { matchExpressions }),
  };
}

function parseRequirement(part: string): NonNullable<LabelSelector['matchExpressions']>[number] {
  const [, unequalKey, unequalValue] = /^([^\s!=]+)\s*!=\s*(\S*)$/.exec(part) ?? [];
  if (unequalKey !== undefined && unequalValue !== undefined) {
    checkKey(unequalKey, part);
    checkValues([unequalValue], part);
    return { key: unequalKey, operator: 'NotIn', values: [unequalValue] };
  }
  const [, setKey, word, list] = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/i.exec(part) ?? [];
  if (setKey !== undefined && word !== undefined && list !== undefined) {
    const values = list.split(',').map((value) => value.trim());
    checkKey(setKey, part);
    checkValues(values, part);
    return { key: setKey, operator: word.toLowerCase() === 'in' ? 'In' : 'NotIn', values };
  }
  const [, not, key] = /^(!?)\s*(\S+)$/.exec(part) ?? [];
  if (key === undefined || !isLabelKey(key)) throw unusable(part, 'it is no requirement on a label');
  return { key, operator: not === '!' ? 'DoesNotExist' : 'Exists' };
}

/** At commas that aren't in brackets. */
function splitSelector(text: string): string[] {
  const parts = text.split(/,(?![^(]*\))/).map((part) => part.trim());
  if (parts.some((part) => part === '')) throw unusable(text, 'a part of it is empty');
  return parts;
}

/**
 * A toleration as kubectl writes taints: `key=value:Effect`, `key:Effect`, `key=value`, `key`, `:Effect`, or `*` for every taint.
 * @throws HoldfastError HF-USAGE when it is none.
 */
export function parseToleration(text: string): Toleration {
  if (text === '*') return { operator: 'Exists' };
  const [, key = '', equals, value = '', colon, effect = ''] =
    /^([^=:]*)(?:(=)([^:]*))?(?:(:)(\w*))?$/.exec(text) ?? [];
  const effects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'] as const;
  const known = effects.find((each) => each === effect);
  if (colon !== undefined && known === undefined) {
    throw unusable(text, `${JSON.stringify(effect)} is no effect of a taint`, `one of ${effects.join(', ')}`);
  }
  const withEffect = known === undefined ? {} : { effect: known };
  if (key === '') {
    if (known === undefined || equals !== undefined) throw unusable(text, 'it names no taint', TOLERATION_HINT);
    return { operator: 'Exists', ...withEffect };
  }
  if (!isLabelKey(key)) throw unusable(text, `${JSON.stringify(key)} is no key of a taint`, TOLERATION_HINT);
  if (equals === undefined) return { key, operator: 'Exists', ...withEffect };
  if (!isLabelValue(value)) throw unusable(text, `${JSON.stringify(value)} is no value of a taint`, TOLERATION_HINT);
  return { key, operator: 'Equal', value, ...withEffect };
}

const TOLERATION_HINT = 'write key=value:Effect, key:Effect, key, or "*" for every taint';

/** `key=value`, as labels and annotations are given. @throws HoldfastError HF-USAGE when it isn't, or the key can't be one. */
export function parsePair(text: string, what: 'label' | 'annotation'): [key: string, value: string] {
  const equals = text.indexOf('=');
  const [key, value] = equals < 0 ? [text, undefined] : [text.slice(0, equals), text.slice(equals + 1)];
  if (value === undefined || !isLabelKey(key)) throw unusable(text, `it is no ${what}`, 'write key=value');
  if (what === 'label' && !isLabelValue(value)) throw unusable(text, `${JSON.stringify(value)} is no value of a label`);
  return [key, value];
}

function checkKey(key: string, part: string): void {
  if (!isLabelKey(key)) throw unusable(part, `${JSON.stringify(key)} is no key of a label`);
}

function checkValues(values: readonly string[], part: string): void {
  for (const value of values) {
    if (!isLabelValue(value)) throw unusable(part, `${JSON.stringify(value)} is no value of a label`);
  }
}

function unusable(part: string, reason: string, hint = SELECTOR_HINT): HoldfastError {
  return new HoldfastError('HF-USAGE', `${JSON.stringify(part)}: ${reason}`, { hint });
}

const SELECTOR_HINT = 'write key=value, key!=value, "key in (a,b)", "key notin (a,b)", key, or "!key"';
