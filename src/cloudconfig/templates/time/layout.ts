// Go's layouts: a time is described by how 2006-01-02 15:04:05 would look.

export const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
export const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

/** The longest come first where one begins with another. */
const PIECES =
  /January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|002|0[1-6]|15|1|__2|_2(?!006)|2006|[2-5]|PM|pm|[-Z]07:00:00|[-Z]070000|[-Z]07:00|[-Z]0700|[-Z]07|[.,](?:0+|9+)(?!\d)/g;

/** A layout as its pieces and the text between them, in turn; it begins and ends with text. */
export function piecesOf(layout: string): { texts: string[]; pieces: string[] } {
  return { texts: layout.split(PIECES), pieces: layout.match(PIECES) ?? [] };
}
