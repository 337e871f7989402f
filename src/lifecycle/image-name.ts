// An image's name for people.

/** The source as it was named: without the digest that its canonical form carries behind a tag. */
export function displayName(source: string): string {
  return source.replace(/(:[^:@/]+)@sha256:[0-9a-f]{64}$/, '$1');
}
