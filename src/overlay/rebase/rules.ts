// What the owner says about single paths, before the table of classes is asked: a small YAML file with a list of rules, first
// match wins. `--take` is a rule for one path, ahead of all files.

import { load, YAMLException } from 'js-yaml';
import type { TreePath } from '../../image/targettree.ts';
import { HoldfastError } from '../../system/errors.ts';
import { patternOf } from './classes.ts';
import type { Winner } from './model.ts';

export interface Rule {
  pattern: RegExp;
  /** Who wins a conflict at such a path. */
  winner?: Winner;
  /** Changes of such a path are left behind. */
  carry?: false;
  /** For reports: `/etc/holdfast/overlay.d/10-mine.yaml#2`, `--take`. */
  name: string;
}

/** Where rule files are looked for, in the old view. */
export const RULES_DIRECTORY = '/etc/holdfast/overlay.d';

const MAX_RULES = 1000;
const WINNERS: Readonly<Record<string, Winner>> = { mine: 'user', image: 'new' };

/**
 * Reads `rules:` of one file: entries with `path` (a pattern) and `winner: mine|image` or `carry: false`.
 * @param file for messages and reports.
 * @throws HoldfastError HF-CONFIG.
 */
export function parseRules(text: string, file: string): Rule[] {
  if (text.split('\n').every((line) => /^\s*(#|$)/.test(line))) return [];
  let document: unknown;
  try {
    document = load(text);
  } catch (error) {
    throw wrong(file, error instanceof YAMLException ? error.reason : 'it is no YAML', error);
  }
  if (document === undefined || document === null) return [];
  const { rules, ...others } = fieldsOf(document, file, 'it must have a list `rules:`');
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw wrong(file, `${JSON.stringify(unknown)} is not known; it has a list \`rules:\``);
  if (!Array.isArray(rules)) throw wrong(file, '`rules:` must be a list');
  if (rules.length > MAX_RULES) throw wrong(file, `it has more than ${MAX_RULES} rules`);
  return rules.map((rule: unknown, index) => parseRule(rule, file, index + 1));
}

/** The winner at one path, whatever the classes say. */
export function takeRule(path: TreePath, winner: Winner): Rule {
  return { pattern: new RegExp(`^${path.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`), winner, name: '--take' };
}

/** The first rule that says something about a path. */
export function ruleFor<K extends 'winner' | 'carry'>(
  rules: readonly Rule[],
  path: TreePath,
  about: K,
): Rule | undefined {
  return rules.find((rule) => rule[about] !== undefined && rule.pattern.test(path));
}

function parseRule(rule: unknown, file: string, number: number): Rule {
  const where = `rule ${number}`;
  const { path, winner, carry, ...others } = fieldsOf(rule, file, `${where} must have a path and a winner`);
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw wrong(file, `${where}: ${JSON.stringify(unknown)} is not known`);
  if (typeof path !== 'string' || !path.startsWith('/') || path.includes('\0')) {
    throw wrong(file, `${where}: path must be an absolute path or pattern, such as /usr/share/app/**`);
  }
  if (carry !== undefined && carry !== false) throw wrong(file, `${where}: carry can only be false`);
  const side = typeof winner === 'string' ? WINNERS[winner] : undefined;
  if (winner !== undefined && side === undefined) throw wrong(file, `${where}: winner must be mine or image`);
  if ((side === undefined) === (carry === undefined)) {
    throw wrong(file, `${where}: it must have one of \`winner\` and \`carry\``);
  }
  const bytes = Buffer.from(path, 'utf8').toString('latin1');
  const name = `${file}#${number}`;
  return { pattern: patternOf(bytes), name, ...(side !== undefined ? { winner: side } : { carry: false }) };
}

function fieldsOf(value: unknown, file: string, problem: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(file, problem);
  return Object.fromEntries(Object.entries(value));
}

function wrong(file: string, problem: string, cause?: unknown): HoldfastError {
  return new HoldfastError('HF-CONFIG', `${file} is no list of overlay rules: ${problem}`, {
    cause,
    hint: 'for example: rules: [{path: /usr/share/app/**, winner: mine}]',
  });
}
