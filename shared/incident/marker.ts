/*
 * The hidden first line by which an incident is found again. It is read from the first line only: everything below may
 * quote foreign text, which could hold a marker of its own.
 */

export interface Marker {
  key: string;
  /** Tells one delivery from all others, so that a lost answer can be told from somebody else's issue. */
  delivery: string;
}

const pattern = /^<!-- deploy-safeguard:incident key=([0-9a-f]{32}) delivery=([A-Za-z0-9-]{1,64}) -->$/;

export function writeMarker({ key, delivery }: Marker): string {
  return `<!-- deploy-safeguard:incident key=${key} delivery=${delivery} -->`;
}

/** The marker in the first line of `text`, or null. */
export function readMarker(text: string): Marker | null {
  const match = pattern.exec((text.split(/\r?\n/, 1)[0] ?? '').trim());
  return match?.[1] && match[2] ? { key: match[1], delivery: match[2] } : null;
}
