// Looks at the texts of a stage file the way `validate` does: whether a template and a pattern can be read, whether a word
// is one of those that have an effect. Only for people who write files; running a stage needs none of it.

import { RE2JS } from 're2js';
import type { Examiner, Remark } from './decoding.ts';
import { examineEntity } from './entitytext.ts';
import {
  ARCHITECTURE_SYNONYMS,
  ARCHITECTURES,
  ENCODINGS,
  FILESYSTEMS,
  PROVIDERS,
  SERVICE_MANAGERS,
  STAGES,
  UNIT_SUFFIXES,
} from './knownwords.ts';
import type { TextRole } from './leaf.ts';
import { withoutRe2 } from './pattern.ts';
import { nearestWord } from './suggestion.ts';
import { examineTemplate } from './templatetext.ts';

/** What there is to say about a text; its places count from 1. */
export const examiner: Examiner = (role, text) => {
  const remarks = text === '' ? [] : (EXAMINATIONS[role]?.(text) ?? []);
  return remarks.map(({ message, ...rest }) => ({ ...rest, message: shorten(message) }));
};

/** The text itself is in most messages, and it may be of any length. */
function shorten(message: string): string {
  return message.length > 300 ? `${message.slice(0, 299)}…` : message;
}

const EXAMINATIONS: Partial<Record<TextRole, (text: string) => readonly Remark[]>> = {
  template: examineTemplate,
  command: examineTemplate,
  hostname: (text) => [...examineTemplate(text), ...examineHostname(text)],
  entity: (text) => [...examineTemplate(text), ...(text.includes('{{') ? [] : examineEntity(text))],
  pattern: examinePattern,
  architecture: (text) => [...examinePattern(text), ...examineArchitecture(text)],
  'service-manager': (text) =>
    examineWord(text.toLowerCase(), SERVICE_MANAGERS, 'no service manager that is known; the step is always skipped'),
  encoding: (text) => examineWord(text, ENCODINGS, 'no encoding that is known; the content is written as it is'),
  provider: (text) => examineWord(text, PROVIDERS, 'no provider that is known; it is passed over'),
  filesystem: (text) => examineWord(text, FILESYSTEMS, 'no file system that is known'),
  unit: examineUnit,
  path: examinePath,
  stage: examineStage,
};

function examineWord(text: string, known: readonly string[], what: string): Remark[] {
  if (known.includes(text)) return [];
  const near = nearestWord(text.replace('base-64', 'base64'), known);
  return [
    {
      severity: 'warning',
      message: `"${text}" is ${what}`,
      hint: near === undefined ? `known: ${known.join(', ')}` : `did you mean "${near}"?`,
    },
  ];
}

function examinePattern(text: string): Remark[] {
  try {
    RE2JS.compile(text);
    return [];
  } catch (error) {
    const instead = withoutRe2(text, error);
    if (instead instanceof RegExp) {
      return [
        {
          severity: 'warning',
          message: `${JSON.stringify(text)} is no pattern for the originals, which skip the step; it is evaluated here`,
          hint: 'Go patterns (RE2) have no look-ahead, look-behind and back-references',
        },
      ];
    }
    return [
      {
        severity: 'error',
        message: `${JSON.stringify(text)} is no pattern, so that the step is always skipped: ${instead.invalid}`,
        hint: 'put a backslash before a bracket, brace or "*" that stands for itself',
      },
    ];
  }
}

function examineArchitecture(text: string): Remark[] {
  // A pattern with operators says what it wants; a plain word that is in no architecture's name is a slip.
  if (!/^\^?[\w-]+\$?$/.test(text)) return [];
  const word = text.replace(/^\^|\$$/g, '');
  if (ARCHITECTURES.some((name) => name.includes(word))) return [];
  const near = ARCHITECTURE_SYNONYMS[word.toLowerCase()] ?? nearestWord(word, ARCHITECTURES);
  return [
    {
      severity: 'warning',
      message: `"${word}" is in no architecture's name, so that the step is always skipped`,
      hint:
        near === undefined
          ? `Go's names are used: ${ARCHITECTURES.join(', ')}`
          : `did you mean "${near}"? Go's names are used`,
    },
  ];
}

function examineUnit(text: string): Remark[] {
  const suffix = text.match(/\.([A-Za-z]+)$/)?.[1];
  if (suffix === undefined || UNIT_SUFFIXES.some((known) => known === suffix)) return [];
  const near = nearestWord(suffix, UNIT_SUFFIXES);
  if (near === undefined) return [];
  return [
    {
      severity: 'warning',
      message: `".${suffix}" is no kind of unit; "${text}.service" will be meant`,
      hint: `did you mean "${text.slice(0, -suffix.length)}${near}"?`,
    },
  ];
}

function examineHostname(text: string): Remark[] {
  if (text.includes('{{')) return [];
  const name = text.trim();
  const labels = name.split('.');
  if (name.length <= 64 && labels.every((label) => /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(label))) {
    return [];
  }
  return [
    {
      severity: 'warning',
      message: `${JSON.stringify(name)} is no host name`,
      hint: 'a host name has at most 64 letters, digits and "-", in parts that are joined by "."',
    },
  ];
}

function examinePath(text: string): Remark[] {
  // `layout` runs a program that is named this way.
  if (text.startsWith('/') || text.startsWith('script://')) return [];
  if (text.includes('{{')) {
    return [{ severity: 'warning', message: 'a path is no template: it is taken as it is written' }];
  }
  return [
    {
      severity: 'warning',
      message: `"${text}" is no absolute path`,
      hint: `paths begin with "/": "/${text.replace(/^(?:\.?\/)+/, '')}"`,
    },
  ];
}

/** A name of one's own is fine; one that is nearly that of a known stage is more likely a slip. */
function examineStage(text: string): Remark[] {
  const known = Object.keys(STAGES);
  const [, base = '', suffix = ''] = text.match(/^(.*?)(\.[a-z]+)?$/) ?? [];
  if (known.includes(text) || known.includes(base)) {
    if (known.includes(text) || suffix === '' || suffix === '.before' || suffix === '.after') return [];
    const near = nearestWord(suffix.slice(1), ['before', 'after']);
    return near === undefined ? [] : [unknownStage(text, `${base}.${near}`)];
  }
  const near = nearestWord(base, known);
  return near === undefined || base.length < 4 ? [] : [unknownStage(text, `${near}${suffix}`)];
}

function unknownStage(name: string, near: string): Remark {
  return {
    severity: 'warning',
    message: `nothing runs a stage "${name}" by itself`,
    hint: `did you mean "${near}"? A stage of your own is run with: holdfast run-stage ${name}`,
  };
}
