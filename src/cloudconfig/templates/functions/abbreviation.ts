// Shortens texts with "...", by the rules of sprig's library goutils.

const MARK = '...';

export function abbreviate(width: number, bytes: string): string {
  return width < 4 ? bytes : shorten(bytes, 0, width);
}

/** Cut at both ends: `left` bytes are left out at the start. */
export function abbreviateBoth(left: number, right: number, bytes: string): string {
  return right < 4 || (left > 0 && right < 7) ? bytes : shorten(bytes, left, right);
}

/** A part of the width that begins near the offset. */
function shorten(bytes: string, offset: number, width: number): string {
  if (bytes.length <= width) return bytes;
  const room = width - MARK.length;
  const start = Math.min(offset, bytes.length - room);
  if (start <= 4) return bytes.slice(0, room) + MARK;
  // goutils gives nothing where both marks have no room.
  if (width < 7) return '';
  if (start + room < bytes.length) return MARK + shorten(bytes.slice(start), 0, room);
  return MARK + bytes.slice(bytes.length - room);
}
