// What is wrong with a template, and where in its text.

export class TemplateError extends Error {
  override readonly name = 'TemplateError';
  /** Position in the text. */
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

/** A function refused its arguments; the evaluation adds the function's name and place. */
export class CallError extends Error {
  override readonly name = 'CallError';
}

/** "2:5", both counted from 1, in characters. */
export function placeOf(text: string, offset: number): string {
  const before = text.slice(0, offset);
  const line = before.split('\n').length;
  return `${line}:${[...before.slice(before.lastIndexOf('\n') + 1)].length + 1}`;
}
