// Renders a template of a stage file: references such as `{{ .Values.os.name }}`, quoted text and comments. A text with
// anything else is refused as a whole.

export interface Rendering {
  /** The rendered text; empty after an error. */
  text: string;
  /** What is wrong, with line and column inside of the text. */
  error?: string;
  /** The actions that printed `<no value>`. */
  withoutValue: readonly string[];
}

const NO_VALUE = '<no value>';

/** One `{{ … }}` whose body is a reference, quoted text or a comment, with Go's trim markers. */
const ACTION =
  /^\{\{(?<left>-(?=\s))?\s*(?<body>\/\*[\s\S]*?\*\/|\.[\w.]*|"(?:[^"\\\n]|\\.)*"|`[^`]*`)\s*(?<right>(?<=\s)-)?\}\}/;

/** Renders a text with its data; never throws. */
export function renderTemplate(text: string, data: Readonly<Record<string, unknown>>): Rendering {
  const withoutValue: string[] = [];
  let result = '';
  let rest = text;
  for (let open = rest.indexOf('{{'); open >= 0; open = rest.indexOf('{{')) {
    const action = rest.slice(open).match(ACTION);
    const { body = '', left, right } = action?.groups ?? {};
    const value = action === null ? undefined : evaluate(body.trim(), data);
    if (action === null || value === undefined) {
      return { text: '', error: `${placeOf(text, text.length - rest.length + open)}: not understood`, withoutValue };
    }
    const before = rest.slice(0, open);
    result += left === undefined ? before : before.trimEnd();
    if (value === NO_VALUE) withoutValue.push(action[0]);
    result += value;
    rest = rest.slice(open + action[0].length);
    if (right !== undefined) rest = rest.trimStart();
  }
  return { text: result + rest, withoutValue };
}

function placeOf(text: string, offset: number): string {
  const lines = text.slice(0, offset).split('\n');
  return `${lines.length}:${(lines.at(-1) ?? '').length + 1}`;
}

/** The text that an action stands for; undefined when this isn't known here. */
function evaluate(body: string, data: Readonly<Record<string, unknown>>): string | undefined {
  if (body.startsWith('/*')) return '';
  if (body.startsWith('`')) return body.slice(1, -1);
  if (body.startsWith('"')) return /\\[^"\\]/.test(body) ? undefined : body.slice(1, -1).replace(/\\(.)/g, '$1');
  let value: unknown = data;
  for (const key of body.slice(1).split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return NO_VALUE;
    value = Object.entries(value).find(([name]) => name === key)?.[1];
  }
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}
