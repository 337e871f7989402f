// Words of the shell commands in a stage file: quoted for sh, and with nothing in them that a template would take.

/** One word. */
export function quote(word: string): string {
  return /^[A-Za-z0-9_/.,:=@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** A text that comes out of the expansion of templates as it is. */
export function escapeTemplate(text: string): string {
  return text.replaceAll('{{', '{{ "{{" }}');
}

/** A command line. */
export function commandLine(...words: string[]): string {
  return escapeTemplate(words.map(quote).join(' '));
}
