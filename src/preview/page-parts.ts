// The building blocks of a plan's page. Everything that comes from a system, an image or a file goes through `escapeText`: names of
// files and packages may hold anything, markup included.

/** A text in HTML; what can't be seen, or turns the direction of reading, is shown as a mark. */
export function escapeText(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the purpose
      .replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, '�')
      .replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character)
  );
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export type Sign = 'up' | 'down' | 'added' | 'removed' | 'changed' | 'ran' | 'skipped';

const SIGN_TEXTS: Readonly<Record<Sign, readonly [sign: string, word: string]>> = {
  up: ['↑', 'upgraded'],
  down: ['↓', 'downgraded'],
  added: ['+', 'added'],
  removed: ['−', 'removed'],
  changed: ['~', 'changed'],
  ran: ['✓', 'runs'],
  skipped: ['○', 'is left out'],
};

export function sign(kind: Sign): string {
  const [text, word] = SIGN_TEXTS[kind];
  return `<span class="sign ${kind}" role="img" aria-label="${word}" title="${word}">${text}</span>`;
}

export interface Row {
  sign: Sign;
  name: string;
  detail?: string | undefined;
  /** Below it. */
  why?: string | undefined;
  /** A word in the place of the detail, and its class. */
  badge?: { text: string; kind: string } | undefined;
  isMono?: boolean;
}

function row({ sign: kind, name, detail, why, badge: word, isMono }: Row): string {
  const right =
    word === undefined
      ? detail === undefined
        ? ''
        : `<span class="detail">${escapeText(detail)}</span>`
      : badge(word);
  const below = why === undefined ? '' : `<span class="why">${escapeText(why)}</span>`;
  return `<li>${sign(kind)}<span class="name${isMono ? ' mono' : ''}">${escapeText(name)}</span>${right}${below}</li>`;
}

export function badge({ text, kind }: { text: string; kind: string }): string {
  return `<span class="badge ${escapeText(kind)}">${escapeText(text)}</span>`;
}

/** A list of which the first are shown, and the rest on demand. */
export function rows(all: readonly Row[], shown: number, what: string): string {
  const list = (part: readonly Row[]) => `<ul class="rows">${part.map(row).join('')}</ul>`;
  if (all.length === 0) return '';
  // A rest of a few is no shorter when it is hidden.
  if (all.length <= shown + 3) return list(all);
  const rest = all.slice(shown);
  return `${list(all.slice(0, shown))}<details class="rest"><summary class="more"><span class="name">${rest.length} more ${escapeText(what)}</span></summary><div>${list(rest)}</div></details>`;
}

export interface Fold {
  sign: Sign;
  name: string;
  badge: { text: string; kind: string };
  paragraphs: readonly string[];
  diff?: readonly string[] | undefined;
}

/** One thing with more to see about it. */
export function fold({ sign: kind, name, badge: word, paragraphs, diff }: Fold): string {
  const body = [
    ...paragraphs.map((text) => `<p>${escapeText(text)}</p>`),
    ...(diff === undefined || diff.length === 0 ? [] : [diffBlock(diff)]),
  ];
  return `<details><summary>${sign(kind)}<span class="name mono">${escapeText(name)}</span>${badge(word)}</summary><div>${body.join('')}</div></details>`;
}

function diffBlock(lines: readonly string[]): string {
  const kinds: Readonly<Record<string, string>> = { '+': 'plus', '-': 'minus', '@': 'hunk', '…': 'hunk' };
  const spans = lines.map(
    (line) => `<span class="${kinds[line[0] ?? ''] ?? 'same'}">${escapeText(line) || ' '}</span>`,
  );
  // Lines are blocks: a break between them would be an empty one.
  return `<pre class="diff"><code>${spans.join('')}</code></pre>`;
}

export function section(id: string, title: string, sentence: string, ...content: readonly string[]): string {
  return `<section id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${escapeText(title)}</h2><p>${escapeText(sentence)}</p>${content.join('')}</section>`;
}

export function definitions(pairs: readonly (readonly [term: string, text: string])[]): string {
  return `<dl>${pairs.map(([term, text]) => `<dt>${escapeText(term)}</dt><dd>${escapeText(text)}</dd>`).join('')}</dl>`;
}

export function steps(lines: readonly string[]): string {
  return `<ol class="steps">${lines.map((line) => `<li>${escapeText(line)}</li>`).join('')}</ol>`;
}
