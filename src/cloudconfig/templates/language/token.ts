// The pieces that a template's text falls into.

export type TokenType =
  | 'text'
  | '{{'
  | '}}'
  | 'space'
  | 'identifier'
  | 'keyword'
  | 'bool'
  | 'nil'
  /** `.` alone. */
  | 'dot'
  /** `.Name`, one step of a chain. */
  | 'field'
  /** `$` or `$name`. */
  | 'variable'
  | 'string'
  | 'raw string'
  | 'character'
  | 'number'
  | '|'
  | '('
  | ')'
  | '='
  | ':='
  | ','
  /** Any other sign, which has no meaning. */
  | 'sign'
  | 'end';

export interface Token {
  type: TokenType;
  /** As it stands in the text; of text, what is left after trimming. */
  text: string;
  start: number;
  end: number;
}
