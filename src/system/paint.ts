// Colours of a terminal, or none: what writes lines is handed one and needn't know where they go.

export type Paint = Readonly<Record<'bold' | 'dim' | 'green' | 'red' | 'yellow', (text: string) => string>>;

/** @param colour false leaves every text as it is. */
export function painter(colour: boolean): Paint {
  const code = (open: number, close: number) => (text: string) =>
    colour && text !== '' ? `\x1b[${open}m${text}\x1b[${close}m` : text;
  return { bold: code(1, 22), dim: code(2, 22), green: code(32, 39), red: code(31, 39), yellow: code(33, 39) };
}

/** Without colours: logs, files, tests. */
export const PLAIN: Paint = painter(false);
