// What the text of a YAML scalar means for a target type. The originals decode by the type that is wanted, from the
// text as written: a generic conversion would lose that `0777` is octal and that `yes` may be a word.

/** A scalar as it stands in the file. */
export interface ScalarText {
  text: string;
  /** Written in quotes or as a block: then it is text, never a number or null. */
  quoted: boolean;
  /** The explicit tag, in full (`tag:yaml.org,2002:binary`), if there is one. */
  tag?: string | undefined;
}

const YAML_TAG = 'tag:yaml.org,2002:';

/** Whether the scalar stands for "nothing": `~`, `null` or empty. */
export function isNull({ text, quoted, tag }: ScalarText): boolean {
  if (tag !== undefined) return tag === `${YAML_TAG}null`;
  return !quoted && /^(?:|~|null|Null|NULL)$/.test(text);
}

/** The scalar as text, or as bytes when it carries the tag `!!binary`. undefined: its base64 is broken. */
export function scalarContent({ text, tag }: ScalarText): string | Uint8Array | undefined {
  if (tag !== `${YAML_TAG}binary`) return text;
  return decodeBase64(text);
}

/** Strict base64 with white space allowed (yip stops at a space and leaves an empty file); undefined when broken. */
export function decodeBase64(text: string): Uint8Array | undefined {
  const packed = text.replace(/\s+/g, '');
  if (packed.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(packed)) return undefined;
  return Buffer.from(packed, 'base64');
}

/**
 * A number as go-yaml v3 reads it: `0777`, `0o777` and `0x1ff` are 511, underscores don't count, fractions are cut off,
 * and what is no valid octal (`0888`) is decimal after all. undefined: not a number.
 */
export function scalarNumber({ text, quoted, tag }: ScalarText): number | undefined {
  if (quoted && tag !== `${YAML_TAG}int` && tag !== `${YAML_TAG}float`) return undefined;
  if (tag === `${YAML_TAG}str`) return undefined;
  if (!/^[-+.\d]/.test(text)) return undefined;
  const digits = text.replaceAll('_', '');
  const negative = digits.startsWith('-');
  const magnitude = digits.replace(/^[-+]/, '');
  const value = parseMagnitude(magnitude);
  if (value === undefined || !Number.isFinite(value)) return undefined;
  const whole = Math.trunc(value);
  return negative && whole !== 0 ? -whole : whole;
}

function parseMagnitude(text: string): number | undefined {
  if (/^0[xX][0-9a-fA-F]+$/.test(text)) return Number.parseInt(text.slice(2), 16);
  if (/^0[bB][01]+$/.test(text)) return Number.parseInt(text.slice(2), 2);
  if (/^0[oO]?[0-7]+$/.test(text)) return Number.parseInt(text.replace(/^0[oO]?/, ''), 8);
  if (/^(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/.test(text)) return Number(text);
  return undefined;
}

/** A truth value as go-yaml v3 reads it: YAML 1.1 words, of which only yes, no, on and off may be quoted. */
export function scalarBoolean({ text, quoted }: ScalarText): boolean | undefined {
  if (/^(?:y|Y|yes|Yes|YES|on|On|ON)$/.test(text)) return true;
  if (/^(?:n|N|no|No|NO|off|Off|OFF)$/.test(text)) return false;
  if (quoted) return undefined;
  if (/^(?:true|True|TRUE)$/.test(text)) return true;
  if (/^(?:false|False|FALSE)$/.test(text)) return false;
  return undefined;
}
