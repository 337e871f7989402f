// A text as one line for consoles and login prompts: what it holds may come from anybody's file, and must neither move a
// cursor, nor begin a line of its own, nor turn the direction of what is read.

/**
 * @param maxCharacters longer ones are cut in the middle of nowhere and end with three dots.
 */
export function oneLine(text: string, maxCharacters: number): string {
  const line = text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: removing them is the purpose
    .replace(/\x1b\[[0-9;?]*[A-Za-z]/g, ' ')
    // Control characters, line and paragraph separators, marks and overrides of direction.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: removing them is the purpose
    .replace(/[\x00-\x20\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, ' ')
    .replace(/ {2,}/g, ' ')
    .trim();
  const characters = [...line];
  return characters.length <= maxCharacters ? line : `${characters.slice(0, maxCharacters - 3).join('')}...`;
}
