const longest = 200;

/** What a server said, in quotes on one line, for the end of a sentence. */
export function said(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim();
  return JSON.stringify(line.length > longest ? `${line.slice(0, longest)}…` : line);
}

/** `1 replica`, `2 replicas`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** `a`, `a and b`, `a, b and c`. */
export function listed(parts: readonly string[]): string {
  const last = parts.at(-1) ?? 'none';
  return parts.length < 2 ? last : `${parts.slice(0, -1).join(', ')} and ${last}`;
}
