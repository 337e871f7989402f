// The part of Go's text/template that is understood so far: references such as `{{ .Values.os.name }}`, quoted text and
// comments. Anything else is told apart from text without a template, so that nothing is ever half expanded.

import { randomUUID } from 'node:crypto';
import type { Facts } from './facts.ts';

export type Expansion =
  | { kind: 'expanded'; text: string; warnings: readonly string[] }
  /** The text is as it was; `reason` says which part isn't understood. */
  | { kind: 'unsupported'; text: string; reason: string };

/** What Go prints for a key that isn't there. */
const NO_VALUE = '<no value>';

/** Parts of `.Values` that the originals fill and that aren't gathered here yet. */
const NOT_GATHERED = new Set(['product', 'board', 'chassis', 'bios', 'cpu', 'memory', 'storage', 'network', 'sysinfo']);
const NOT_GATHERED_LEAVES = new Set([
  'node.hypervisor',
  'node.timezone',
  'os.release',
  'os.architecture',
  'Random',
  'ProtectedID',
]);

/** Expands a text. A text without `{{` is returned as it is. */
export function expandTemplate(text: string, facts: Facts): Expansion {
  if (!text.includes('{{')) return { kind: 'expanded', text, warnings: [] };
  const warnings: string[] = [];
  let result = '';
  let rest = text;
  for (let open = rest.indexOf('{{'); open >= 0; open = rest.indexOf('{{')) {
    const action = rest.slice(open).match(ACTION);
    if (action?.groups === undefined) return unsupported(text, rest.slice(open));
    const { body = '', left, right } = action.groups;
    const before = rest.slice(0, open);
    result += left === undefined ? before : before.trimEnd();
    const value = evaluate(body.trim(), facts);
    if (value === undefined) return unsupported(text, action[0]);
    if (value === NO_VALUE) warnings.push(`the template ${action[0]} has no value; "${NO_VALUE}" is put in its place`);
    result += value;
    rest = rest.slice(open + action[0].length);
    if (right !== undefined) rest = rest.trimStart();
  }
  return { kind: 'expanded', text: result + rest, warnings };
}

/**
 * A text of a step with its templates expanded. One that is broken stays as it is, with a warning, as in yip.
 * @param what which text it is, for the warning: `commands`, `/etc/issue`.
 */
export async function expandText(
  text: string,
  what: string,
  { facts, warn }: { facts: Facts; warn: (message: string) => void },
): Promise<string> {
  const expansion = expandTemplate(text, facts);
  if (expansion.kind === 'unsupported') warn(`${what}: its template is left as it is: ${expansion.reason}`);
  else for (const warning of expansion.warnings) warn(`${what}: ${warning}`);
  return expansion.text;
}

/** One `{{ … }}` whose body is a reference, quoted text or a comment, with Go's trim markers. */
const ACTION =
  /^\{\{(?<left>-(?=\s))?\s*(?<body>\/\*[\s\S]*?\*\/|\.[\w.]*|"(?:[^"\\\n]|\\.)*"|`[^`]*`)\s*(?<right>(?<=\s)-)?\}\}/;

function unsupported(text: string, from: string): Expansion {
  const end = from.indexOf('}}');
  const action = from.slice(0, end < 0 ? 40 : Math.min(end + 2, 60)).split('\n')[0];
  return { kind: 'unsupported', text, reason: `templates are not supported yet beyond {{ .Values.… }}: ${action}` };
}

/** The text that an action stands for; undefined when this isn't known here. */
function evaluate(body: string, facts: Facts): string | undefined {
  if (body.startsWith('/*')) return '';
  if (body.startsWith('`')) return body.slice(1, -1);
  if (body.startsWith('"')) return /\\[^"\\]/.test(body) ? undefined : body.slice(1, -1).replace(/\\(.)/g, '$1');
  return reference(body.slice(1), facts);
}

function reference(path: string, facts: Facts): string | undefined {
  if (path === '' || path === 'Values') return undefined;
  // yip's host name context is flat; its names are understood everywhere.
  if (path === 'MachineID') return facts.machineId;
  if (path === 'UUID') return randomUUID();
  if (path === 'Random' || path === 'ProtectedID') return undefined;
  const [first, ...rest] = path.split('.');
  if (first !== 'Values') return NO_VALUE;
  const key = rest.join('.');
  if (NOT_GATHERED.has(rest[0] ?? '') || NOT_GATHERED_LEAVES.has(key)) return undefined;
  const kernel = facts.kernel;
  const values: Readonly<Record<string, () => string>> = {
    'node.hostname': () => facts.hostname,
    'node.machineid': () => facts.machineId,
    'os.name': () => facts.osRelease('PRETTY_NAME'),
    'os.vendor': () => facts.osRelease('ID'),
    'os.version': () => facts.osRelease('VERSION_ID'),
    'kernel.release': () => kernel.release,
    'kernel.version': () => kernel.version,
    'kernel.architecture': () => kernel.architecture,
  };
  if (['node', 'os', 'kernel'].includes(key)) return undefined;
  // The originals leave empty facts out, so that an empty one is a missing key.
  return values[key]?.() || NO_VALUE;
}
