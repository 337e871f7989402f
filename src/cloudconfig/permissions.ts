// File modes as people write them: YAML octal, octal in quotes, and the decimal numbers that tools dump. Plain `644` is
// decimal and can't be told from a dumped number, so it is kept as it is and warned about.

import type { Shape } from './decoding.ts';
import { isScalar } from './nodes.ts';
import { scalarNumber } from './scalar.ts';
import { wrongType } from './shapes.ts';
import { scalarText } from './yamltext.ts';

/** What tools write when they dump a configuration: 0644, 0600, 0640, 0666, 0660, 0700, 0750, 0755 and 0777. */
const DUMPED_MODES = new Set([420, 384, 416, 438, 432, 448, 488, 493, 511]);

/** A mode: permission bits, with set-id and sticky bits where they are written in octal. */
export const permissions: Shape<number> = {
  what: 'a file mode',
  form: { kind: 'mode' },
  empty: () => 0,
  decode(node, at) {
    if (!isScalar(node)) return wrongType(node, at, 'a file mode such as 0644');
    const scalar = scalarText(node);
    const { text } = scalar;
    const digits = text.replaceAll('_', '');
    if (/^0[oO]?[0-7]+$/.test(digits) || (scalar.quoted && /^[0-7]+$/.test(digits))) {
      const mode = Number.parseInt(digits.replace(/^0[oO]/, ''), 8);
      return mode <= 0o7777 ? mode : at.reject(node, `${text} is no file mode: the largest is 07777`);
    }
    const value = scalarNumber(scalar);
    if (value === undefined || value < 0 || value > 0xffffffff || /^0\d/.test(digits)) {
      return at.reject(node, `${JSON.stringify(text)} is not a file mode`, 'write it in octal, for example 0644');
    }
    // yip v1.24: a number is masked with 0777, so decimal 644 (octal 1204) becomes 0204.
    const mode = value & 0o777;
    if (/^[0-7]{3,4}$/.test(digits) && !DUMPED_MODES.has(value)) {
      at.warn(node, `${text} is a decimal number and means mode 0${mode.toString(8)}`, `write 0${text} for octal`);
    }
    return mode;
  },
};

/** The mode of a field that may be missing: missing is allowed, but yip makes mode 0000 of it. */
export function withDefaultWarning<T extends { permissions?: number; append?: boolean }>(
  shape: Shape<T>,
  instead: string,
): Shape<T> {
  return {
    ...shape,
    decode(node, at) {
      const before = at.errors;
      const value = shape.decode(node, at);
      const isOpen = value !== undefined && value.permissions === undefined && !value.append;
      if (isOpen && at.errors === before) {
        at.warn(node, `no permissions are given, ${instead} is used`, `write permissions: ${instead}`);
      }
      return value;
    },
  };
}
