// Which of two versions is older, as systemd compares them (UAPI.10, version format specification; strverscmp_improved):
// the order that image builders already know from systemd-analyze compare-versions.

/** Negative when `a` is older than `b`, 0 when they are the same, positive when it is newer. */
export function compareVersions(a: string, b: string): number {
  let [left, right] = [a, b];
  for (;;) {
    left = left.replace(/^[^A-Za-z0-9~.^-]+/, '');
    right = right.replace(/^[^A-Za-z0-9~.^-]+/, '');
    // A pre-release is older than what it leads to: 1.0~rc1, 1.0.
    const before = bySign('~');
    if (before !== undefined) return before;
    if (left === '' || right === '') return Math.sign(left.length - right.length);
    for (const sign of ['-', '^', '.']) {
      const difference = bySign(sign);
      if (difference !== undefined) return difference;
    }
    const pattern = /^\d/.test(left) || /^\d/.test(right) ? /^\d*/ : /^[A-Za-z]*/;
    const [first, second] = [pattern.exec(left)?.[0] ?? '', pattern.exec(right)?.[0] ?? ''];
    const difference = pattern.source.includes('d') ? byNumber(first, second) : byText(first, second);
    if (difference !== 0) return difference;
    left = left.slice(first.length);
    right = right.slice(second.length);
  }

  /** Takes a sign from both; where only one has it, that one is older. */
  function bySign(sign: string): number | undefined {
    const [has, hasToo] = [left.startsWith(sign), right.startsWith(sign)];
    if (has !== hasToo) return has ? -1 : 1;
    if (!has) return undefined;
    left = left.slice(1);
    right = right.slice(1);
    return undefined;
  }
}

/** Of any length; no number is older than any. */
function byNumber(a: string, b: string): number {
  if (a === '' || b === '') return Math.sign(a.length - b.length);
  const [first, second] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')];
  return Math.sign(first.length - second.length) || byText(first, second);
}

/** Capitals before small letters, the beginning of a word before the word. */
function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
