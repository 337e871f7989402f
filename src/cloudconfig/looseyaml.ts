// YAML that go-yaml reads although the standard forbids it, made into YAML that every parser reads: brackets and quotes
// whose later lines are indented too little or with tabs, comments that touch what is before them, `\'` in double
// quotes. Only for texts that the parser has refused, so speed is not what matters; offsets can be traced back.

/** A rewritten text. */
export interface LooseText {
  text: string;
  /** The offset in the text as it was for one in the new text. */
  original: (offset: number) => number;
}

interface Edit {
  at: number;
  removed: number;
  inserted: string;
}

/**
 * Rewrites a text, or returns undefined when there is nothing to rewrite or it would grow too much.
 * @param limit how many characters may be added.
 */
export function tightenYaml(text: string, limit: number): LooseText | undefined {
  const edits = new Scanner(text).run();
  const added = edits.reduce((sum, { inserted }) => sum + inserted.length, 0);
  return edits.length === 0 || added > limit ? undefined : applyEdits(text, edits);
}

export interface Openings {
  /** Where the quote or the outermost bracket opens that is never closed. */
  unclosed: number | undefined;
  /** Quoted texts with their quotes, in order. */
  quoted: readonly { start: number; end: number }[];
}

/** Where quotes and brackets open, as far as the text can be followed. */
export function findOpenings(text: string): Openings {
  const scanner = new Scanner(text);
  scanner.run();
  return scanner;
}

function applyEdits(text: string, edits: readonly Edit[]): LooseText {
  const parts: string[] = [];
  /** For the end of each edit: its offset in the new text and in the old one. */
  const ends: { now: number; before: number }[] = [{ now: 0, before: 0 }];
  let done = 0;
  let length = 0;
  for (const { at, removed, inserted } of edits) {
    parts.push(text.slice(done, at), inserted);
    length += at - done + inserted.length;
    done = at + removed;
    ends.push({ now: length, before: done });
  }
  parts.push(text.slice(done));
  return {
    text: parts.join(''),
    original: (offset) => {
      let low = 0;
      let high = ends.length - 1;
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if ((ends[middle]?.now ?? 0) <= offset) low = middle;
        else high = middle - 1;
      }
      const { now, before } = ends[low] ?? { now: 0, before: 0 };
      const next = edits[low];
      return Math.min(before + offset - now, next?.at ?? text.length);
    },
  };
}

/** Goes over a text just closely enough to know where quotes and brackets open and close. */
class Scanner {
  readonly #text: string;
  readonly #edits: Edit[] = [];
  readonly quoted: { start: number; end: number }[] = [];
  unclosed: number | undefined;
  #at = 0;
  #lineStart = 0;

  constructor(text: string) {
    this.#text = text;
  }

  run(): readonly Edit[] {
    while (this.#at < this.#text.length) {
      const edits = this.#edits.length;
      if (!this.#line()) {
        // Never closed: what was taken for its lines is none of them.
        this.#edits.length = edits;
        break;
      }
    }
    return this.#edits;
  }

  /** One line of block style, with all that its value spans; false when a quote or bracket in it isn't closed. */
  #line(): boolean {
    this.#lineStart = this.#at;
    if (/^(?:---|\.\.\.)(?=\s|$)/.test(this.#text.slice(this.#at, this.#at + 4))) this.#at += 3;
    /** The column of the dash or key that the value belongs to. */
    let base = -1;
    for (;;) {
      this.#skip(' \t');
      const column = this.#at - this.#lineStart;
      const sign = this.#text[this.#at] ?? '';
      if (sign === '' || isBreak(sign) || sign === '#') {
        this.#nextLine();
        return true;
      }
      if ('-?:'.includes(sign) && isBlank(this.#text[this.#at + 1])) {
        base = column;
        this.#at += 1;
      } else if ('&!*'.includes(sign)) {
        this.#skipWord();
      } else if (sign === '|' || sign === '>') {
        this.#blockScalar(base);
        return true;
      } else if ('"\'[{'.includes(sign)) {
        const start = this.#at;
        const indent = base < 0 ? Math.max(column, 1) : base + 1;
        if (!('"\''.includes(sign) ? this.#quoted(indent) : this.#flow(indent))) return false;
        const isKey = /^[ \t]*:(?:\s|$)/.test(this.#text.slice(this.#at, this.#at + 200));
        if (!isKey || this.#text.slice(start, this.#at).includes('\n')) {
          this.#nextLine();
          return true;
        }
        base = column;
        this.#at = this.#text.indexOf(':', this.#at) + 1;
      } else if (this.#plainKey()) {
        base = column;
      } else {
        this.#nextLine();
        this.#skipDeeper(base < 0 ? column : base + 1);
        return true;
      }
    }
  }

  /** Goes past a plain key and its colon, if there is one on this line. */
  #plainKey(): boolean {
    const line = this.#text.slice(this.#at, this.#lineEnd());
    const end = line.search(/:(?=\s|$)|\s#/);
    if (end < 0 || line[end] !== ':') return false;
    this.#at += end + 1;
    return true;
  }

  /** Further lines of a plain text. */
  #skipDeeper(indent: number): void {
    while (this.#at < this.#text.length) {
      const line = this.#text.slice(this.#at, this.#lineEnd());
      const first = line.search(/[^ ]/);
      if (line.trim() !== '' && (first < indent || line[first] === '#')) return;
      this.#nextLine();
    }
  }

  #blockScalar(base: number): void {
    const head = this.#text.slice(this.#at, this.#lineEnd()).match(/^[|>][-+0-9]*/)?.[0] ?? '';
    this.#at += head.length;
    if (this.#text[this.#at] === '#') this.#edit(0, ' ');
    const width = head.match(/[1-9]/)?.[0];
    let indent = width === undefined ? undefined : Math.max(base, 0) + Number(width);
    this.#nextLine();
    while (this.#at < this.#text.length) {
      const line = this.#text.slice(this.#at, this.#lineEnd());
      const first = line.search(/[^ ]/);
      if (line.trim() !== '') {
        if (first < (indent ?? base + 1)) return;
        indent ??= first;
      }
      this.#nextLine();
    }
  }

  /** A quoted text; false when it isn't closed. */
  #quoted(indent: number): boolean {
    const start = this.#at;
    const quote = this.#text[start];
    this.#at += 1;
    while (this.#at < this.#text.length) {
      const sign = this.#text[this.#at] ?? '';
      const next = this.#text[this.#at + 1];
      if (sign === '\n') {
        if (!this.#continued(indent)) break;
      } else if (sign === quote && !(quote === "'" && next === "'")) {
        this.#at += 1;
        this.quoted.push({ start, end: this.#at });
        this.#separateComment();
        return true;
      } else if (sign === quote) {
        this.#at += 2;
      } else if (quote === '"' && sign === '\\' && next === "'") {
        this.#edit(1, '');
        this.#at += 2;
      } else {
        this.#at += quote === '"' && sign === '\\' && next !== '\n' && next !== '\r' ? 2 : 1;
      }
    }
    this.unclosed = start;
    return false;
  }

  /** A list or mapping in brackets with all inside of it; false when it isn't closed. */
  #flow(indent: number): boolean {
    const open: number[] = [];
    /** Whether a value may begin here: within a plain text, quotes and signs mean nothing. */
    let isStart = true;
    while (this.#at < this.#text.length) {
      const sign = this.#text[this.#at] ?? '';
      const next = this.#text[this.#at + 1];
      if (sign === '\n') {
        if (!this.#continued(indent)) break;
      } else if (isBlank(sign)) {
        this.#at += 1;
      } else if (sign === '#' && isBlank(this.#text[this.#at - 1])) {
        this.#at = this.#lineEnd();
      } else if (isStart && (sign === '"' || sign === "'")) {
        if (!this.#quoted(indent)) return false;
        isStart = false;
      } else if ('[{]},'.includes(sign)) {
        if ('[{'.includes(sign)) open.push(this.#at);
        else if (sign !== ',') open.pop();
        isStart = !']}'.includes(sign);
        this.#at += 1;
        this.#separateComment();
        if (open.length === 0) return true;
      } else if (sign === ':' && (isBlank(next) || '[{]},"\''.includes(next ?? ''))) {
        isStart = true;
        this.#at += 1;
      } else if (isStart && '&!'.includes(sign)) {
        this.#skipWord();
      } else if (isStart && sign === '-' && ',]}'.includes(next ?? ' ')) {
        // `[tar, -xf, -]`: a lone dash is a text.
        this.#edit(1, '"-"');
        this.#at += 1;
        isStart = false;
      } else {
        isStart = false;
        this.#at += 1;
      }
    }
    this.unclosed ??= open[0];
    return false;
  }

  /** The next line of what is in brackets or quotes; false where a document ends. */
  #continued(indent: number): boolean {
    this.#at += 1;
    this.#lineStart = this.#at;
    const start = this.#at;
    this.#skip(' ');
    const rest = this.#text.slice(start, start + 4);
    if (/^(?:---|\.\.\.)(?:\s|$)/.test(rest)) return false;
    const isEmpty = /^[ \t]*(?:\r?\n|$)/.test(this.#text.slice(this.#at, this.#lineEnd() + 1));
    const missing = indent - (this.#at - start);
    if (missing > 0 && !isEmpty) this.#edit(0, ' '.repeat(missing));
    return true;
  }

  #separateComment(): void {
    if (this.#text[this.#at] === '#') this.#edit(0, ' ');
  }

  #edit(removed: number, inserted: string): void {
    this.#edits.push({ at: this.#at, removed, inserted });
  }

  #skip(signs: string): void {
    while (this.#at < this.#text.length && signs.includes(this.#text[this.#at] ?? '')) this.#at += 1;
  }

  #skipWord(): void {
    while (this.#at < this.#text.length && !/[\s,[\]{}]/.test(this.#text[this.#at] ?? '')) this.#at += 1;
  }

  #lineEnd(): number {
    const end = this.#text.indexOf('\n', this.#at);
    return end < 0 ? this.#text.length : end;
  }

  #nextLine(): void {
    this.#at = Math.min(this.#lineEnd() + 1, this.#text.length);
  }
}

function isBreak(sign: string): boolean {
  return sign === '\n' || sign === '\r';
}

/** White space or the end. */
function isBlank(sign: string | undefined): boolean {
  return sign === undefined || sign === ' ' || sign === '\t' || isBreak(sign);
}
